import { StorageError } from "@holdall/object-store/open";
import { safeUrl } from "../mask-secrets.ts";
import { runGit, tryGit } from "./lfs-agent-git.ts";
import { isStore, lfsEndpoint, readLfsSettings, type LfsSettings } from "./lfs-agent-settings.ts";
import { parseRemoteUrl } from "./remote-url.ts";

/** What git-lfs calls the agent. */
const AGENT = "holdall";
const PATH = `lfs.customtransfer.${AGENT}.path`;
const ARGS = `lfs.customtransfer.${AGENT}.args`;
const TRANSFER = "transfer";
const TRANSFER_DEBUG = "transfer --debug";

/** What comes before the URL of a store, so that git-lfs leaves it as it is. */
const AS_IT_IS = "holdall::";

/** What git-lfs makes of a URL that it does not know, `s3://bucket/prefix`: that of a host `s3`, to be reached by SSH. */
const SCHEMES = ["s3", "s3+zip", "gs", "az"] as const;

type Setting = readonly [key: string, value: string];

const PROGRAM: readonly Setting[] = [
  [PATH, "git-lfs-holdall"],
  [ARGS, TRANSFER],
];

/** All of these URLs are one to git-lfs, which sees no host in them. */
const HELPER: Setting = [agentKey(AS_IT_IS), AGENT];

const EVERYWHERE: readonly Setting[] = [
  ...PROGRAM,
  HELPER,
  ...SCHEMES.flatMap((scheme): readonly Setting[] => [
    [agentKey(`https://${scheme}`), AGENT],
    // From 3.5 on git-lfs then does not even try to reach the host.
    [`lfs.ssh://${scheme}.sshtransfer`, "never"],
  ]),
];

function agentKey(url: string): string {
  return `lfs.${url}.standalonetransferagent`;
}

/** Where git keeps a setting. */
type Scope = "--local" | "--global";

/** From now on git-lfs takes the objects of every remote that is a store there, in all repositories of this user. */
export async function installGlobally(cwd: string): Promise<void> {
  await set("--global", EVERYWHERE, cwd);
}

export async function uninstallGlobally(cwd: string): Promise<void> {
  await unset("--global", EVERYWHERE, cwd);
  await tryGit(["config", "--global", "--remove-section", `lfs.customtransfer.${AGENT}`], cwd);
}

/**
 * From now on git-lfs takes the objects of this remote to its store, and those of no other remote.
 * @param url of a store, for a remote that is none
 * @returns where they go
 */
export async function installForRemote(remote: string, url: string | undefined, cwd: string): Promise<string> {
  const settings = await mustHaveRemote(remote, cwd);
  const [fetched, pushed] =
    url === undefined
      ? [storeOf(settings, remote, "url"), storeOf(settings, remote, "pushurl")]
      : [mustBeStore(url), undefined];
  const store = fetched ?? pushed;
  if (store === undefined) throw noStore(remote, settings);
  await set(
    "--local",
    [
      ...PROGRAM,
      HELPER,
      ...(fetched === undefined ? [] : [[`remote.${remote}.lfsurl`, asItIs(fetched)] as const]),
      ...(pushed === undefined ? [] : [[`remote.${remote}.lfspushurl`, asItIs(pushed)] as const]),
    ],
    cwd,
  );
  return store;
}

/** Takes back what was set up for the remote; with the last one, what they had in common. */
export async function uninstallForRemote(remote: string, cwd: string): Promise<void> {
  const { values } = await readLfsSettings(cwd);
  const ours = (key: string): boolean => values.get(key)?.at(-1)?.startsWith(AS_IT_IS) === true;
  const urls = [...values.keys()].filter((key) => /^remote\..*\.lfs(push)?url$/.test(key) && ours(key));
  const [gone, others] = [
    urls.filter((key) => key.startsWith(`remote.${remote}.lfs`)),
    urls.filter((key) => !key.startsWith(`remote.${remote}.lfs`)),
  ];
  for (const key of gone) await tryGit(["config", "--local", "--unset-all", key], cwd);
  if (others.length > 0) return;
  await unset("--local", [...PROGRAM, HELPER], cwd);
  await tryGit(["config", "--local", "--remove-section", `lfs.customtransfer.${AGENT}`], cwd);
}

/** The remotes of a repository whose URLs name a store. */
export async function storeRemotes(cwd: string): Promise<string[]> {
  const settings = await readLfsSettings(cwd);
  return remotesOf(settings).filter(
    (remote) => storeOf(settings, remote, "url") !== undefined || storeOf(settings, remote, "pushurl") !== undefined,
  );
}

/** Has transfers be logged, or not. */
export async function setDebug(on: boolean, scope: Scope, cwd: string): Promise<void> {
  await set(scope, [[ARGS, on ? TRANSFER_DEBUG : TRANSFER]], cwd);
}

/** What becomes of the objects of one remote. */
export interface RemoteStatus {
  readonly remote: string;
  readonly operation: "upload" | "download";
  /** Without what is secret; undefined when nothing says where they go. */
  readonly url: string | undefined;
  /** `agent`: this one takes them. `missing`: it should, and is not set up. `other`: they are no business of it. */
  readonly by: "agent" | "missing" | "other";
}

/** What git-lfs would do with the objects of each remote. Uploads have an entry of their own if they go elsewhere. */
export async function status(cwd: string): Promise<RemoteStatus[]> {
  const settings = await readLfsSettings(cwd);
  return remotesOf(settings).flatMap((remote) => {
    const [down, up] = [statusOf(settings, remote, "download"), statusOf(settings, remote, "upload")];
    return up.url === down.url ? [down] : [down, up];
  });
}

function statusOf(settings: LfsSettings, remote: string, operation: RemoteStatus["operation"]): RemoteStatus {
  const url = lfsEndpoint(settings, remote, operation);
  return { remote, operation, url: url === undefined ? undefined : safeUrl(url), by: takerOf(settings, url) };
}

/** Who transfers to the URL, as git-lfs decides it. */
function takerOf({ values }: LfsSettings, url: string | undefined): RemoteStatus["by"] {
  if (url === undefined || !isStore(url)) return "other";
  const scheme = /^[^:]*/.exec(url)?.[0]?.toLowerCase() ?? "";
  const isAsItIs = url.startsWith(AS_IT_IS);
  // Git-lfs cannot make an address of a URL with a second colon.
  const key = isAsItIs ? agentKey(AS_IT_IS) : url.split(":").length > 2 ? "" : agentKey(`https://${scheme}`);
  const agent = values.get(key)?.at(-1) ?? values.get("lfs.standalonetransferagent")?.at(-1);
  return agent === AGENT ? "agent" : "missing";
}

function remotesOf({ values }: LfsSettings): string[] {
  const names = [...values.keys()].flatMap((key) => /^remote\.(.*)\.(?:url|pushurl)$/.exec(key)?.[1] ?? []);
  return [...new Set(names)];
}

async function mustHaveRemote(remote: string, cwd: string): Promise<LfsSettings> {
  const settings = await readLfsSettings(cwd);
  if (remotesOf(settings).includes(remote)) return settings;
  const names = remotesOf(settings).join(", ");
  throw new StorageError(
    "not-found",
    `there is no remote ${JSON.stringify(remote)}${names === "" ? "" : `; there are: ${names}`}`,
  );
}

function storeOf({ values }: LfsSettings, remote: string, which: "url" | "pushurl"): string | undefined {
  const url = values.get(`remote.${remote}.${which}`)?.[0];
  return url !== undefined && isStore(url) ? mustBeStore(url) : undefined;
}

/** @throws StorageError `invalid` */
function mustBeStore(url: string): string {
  parseRemoteUrl(url);
  return url;
}

function noStore(remote: string, { values }: LfsSettings): StorageError {
  const url = safeUrl(values.get(`remote.${remote}.url`)?.[0] ?? "");
  return new StorageError(
    "invalid",
    `${remote} is ${url}, which is no store: say with --url where its LFS objects are to go`,
  );
}

function asItIs(url: string): string {
  return url.startsWith(AS_IT_IS) ? url : AS_IT_IS + url;
}

async function set(scope: Scope, settings: readonly Setting[], cwd: string): Promise<void> {
  for (const [key, value] of settings) await runGit(["config", scope, "--replace-all", key, value], cwd);
}

/** Only values that are ours. */
async function unset(scope: Scope, settings: readonly Setting[], cwd: string): Promise<void> {
  for (const [key, value] of settings) {
    // 5: it is not there, or another.
    await runGit(["config", scope, "--fixed-value", "--unset-all", key, value], cwd, [5]);
  }
}
