import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { StorageError } from "@holdall/object-store/open";
import { safeUrl } from "../mask-secrets.ts";
import { runGit, tryGit } from "./lfs-agent-git.ts";

/** What git-lfs would read about a repository, as far as it tells where objects go. */
export interface LfsSettings {
  /** By their names, as git writes them. The last value counts, but of URLs of remotes the first. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** The git folder that work trees share; absolute. */
  readonly gitFolder: string;
}

/** In the words of git-config: the keys that are read here, those of the agent's own setup included. */
const KEYS = String.raw`^(lfs\..*|remote\..*\.(url|pushurl|lfsurl|lfspushurl)|url\..*\.(insteadof|pushinsteadof))$`;

/** What `.lfsconfig` may say of it (git-lfs: docs/man/git-lfs-config.adoc). */
const SAFE = /^(lfs\.url|lfs\.pushurl|remote\..*\.lfsurl)$/;

/** Git-remote-s3 sets such a URL for git-lfs alone; the remote's own says where the objects are. */
const ALIAS = "https://lfs-alias.git-remote-s3.test/";

const OURS = /^(holdall::|(s3|s3\+zip|gs|az):)/i;

/** @throws GitError outside of a repository */
export async function readLfsSettings(cwd: string): Promise<LfsSettings> {
  const [listed, parsed] = await Promise.all([
    // 1: there is none of them.
    runGit(["config", "--null", "--get-regexp", KEYS], cwd, [1]),
    runGit(["rev-parse", "--path-format=absolute", "--git-common-dir", "--is-bare-repository", "--show-cdup"], cwd),
  ]);
  const [gitFolder = "", isBare, up = ""] = parsed.split("\n");
  const shared = await readLfsConfig(cwd, isBare === "true" ? undefined : resolve(cwd, up, ".lfsconfig"));
  const values = new Map([...entries(shared)].filter(([key]) => SAFE.test(key)));
  for (const [key, own] of entries(listed)) values.set(key, own);
  return { values, gitFolder };
}

/** `.lfsconfig`, from where git-lfs takes it. */
async function readLfsConfig(cwd: string, file: string | undefined): Promise<string> {
  const list = ["config", "--null", "--list"];
  if (file !== undefined && existsSync(file)) return await runGit([...list, "--file", file], cwd);
  for (const blob of file === undefined ? ["HEAD:.lfsconfig"] : [":.lfsconfig", "HEAD:.lfsconfig"]) {
    const { code, stdout } = await tryGit([...list, "--blob", blob], cwd);
    // Otherwise there is none, and perhaps not even a commit.
    if (code === 0) return stdout;
  }
  return "";
}

/** Reads what `git config --null` writes: name, LF, value, NUL. */
function entries(output: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const entry of output.split("\0").slice(0, -1)) {
    const at = entry.indexOf("\n");
    // A name without a value is true.
    const [key, value] = at < 0 ? [entry, "true"] : [entry.slice(0, at), entry.slice(at + 1)];
    found.set(key, [...(found.get(key) ?? []), value]);
  }
  return found;
}

/** Where git-lfs keeps its files. */
export function lfsFolder({ values, gitFolder }: LfsSettings): string {
  return resolve(gitFolder, values.get("lfs.storage")?.at(-1) ?? "lfs");
}

/**
 * The URL to which git-lfs takes the objects of a remote, by its own rules (git-lfs: docs/api/server-discovery.md), but not made
 * into an address of a server.
 * @param remote the name of one, or a URL
 * @returns undefined when nothing says so
 */
export function lfsEndpoint(
  settings: LfsSettings,
  remote: string,
  operation: "upload" | "download",
): string | undefined {
  const isUpload = operation === "upload";
  for (const url of urlsOf(settings.values, remote, isUpload)) {
    if (url !== undefined && !url.startsWith(ALIAS)) return inFull(settings.values, url, isUpload);
  }
  return undefined;
}

/** In the order in which they count. */
function* urlsOf(
  values: LfsSettings["values"],
  remote: string,
  isUpload: boolean,
): Generator<string | undefined, undefined> {
  if (isUpload) yield values.get("lfs.pushurl")?.at(-1);
  yield values.get("lfs.url")?.at(-1);
  // What another remote does not say, `origin` does.
  for (const name of new Set([remote, "origin"])) {
    if (isUpload) yield values.get(`remote.${name}.lfspushurl`)?.at(-1);
    yield values.get(`remote.${name}.lfsurl`)?.at(-1);
    if (isUpload) yield values.get(`remote.${name}.pushurl`)?.[0];
    yield values.get(`remote.${name}.url`)?.[0];
    if (name.includes(":")) yield name;
  }
}

/** {@link lfsEndpoint}, which must be a store. @throws StorageError `invalid` */
export function lfsUrl(settings: LfsSettings, remote: string, operation: "upload" | "download"): string {
  const url = lfsEndpoint(settings, remote, operation);
  if (url !== undefined && isStore(url)) return url;
  const where = url === undefined ? "nothing says where they are" : `they are at ${safeUrl(url)}, which is no store`;
  throw new StorageError(
    "invalid",
    `git-lfs asks git-lfs-holdall for the objects of ${safeUrl(remote)}, but ${where}: "git lfs-holdall status" shows what is set up`,
  );
}

/** Whether a URL is for this agent. */
export function isStore(url: string): boolean {
  return OURS.test(url);
}

/** What `url.<base>.insteadOf` makes of it: the longest beginning counts. */
function inFull(values: LfsSettings["values"], url: string, isUpload: boolean): string {
  for (const kind of isUpload ? ["pushinsteadof", "insteadof"] : ["insteadof"]) {
    let [longest, base] = ["", ""];
    for (const [key, beginnings] of values) {
      if (!key.startsWith("url.") || !key.endsWith(`.${kind}`)) continue;
      for (const beginning of beginnings) {
        if (!url.startsWith(beginning) || beginning.length <= longest.length) continue;
        [longest, base] = [beginning, key.slice("url.".length, -`.${kind}`.length)];
      }
    }
    if (longest !== "") return base + url.slice(longest.length);
  }
  return url;
}
