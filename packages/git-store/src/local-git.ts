import { spawn } from "node:child_process";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ObjectFormat } from "@holdall/git-protocol";
import type { PackFiles } from "./packs.ts";

/** A command of git's that failed; the message is git's own. */
export class GitError extends Error {
  override readonly name = "GitError";
  readonly code: number | null;

  constructor(args: readonly string[], code: number | null, said: string) {
    super(`git ${args[0] ?? ""} ended with ${code}: ${said.trim()}`);
    this.code = code;
  }
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The user's own git, on one repository. */
export class LocalGit {
  /** As `GIT_DIR` has it. */
  readonly gitDir: string;
  #format: Promise<ObjectFormat> | undefined;

  constructor(gitDir: string) {
    this.gitDir = gitDir;
  }

  /** @param input lines for standard input. @throws GitError unless it exits with 0 */
  async run(args: readonly string[], input: Iterable<string> = []): Promise<string> {
    const { code, stdout, stderr } = await this.tryRun(args, input);
    if (code !== 0) throw new GitError(args, code, stderr);
    return stdout;
  }

  async tryRun(args: readonly string[], input: Iterable<string> = []): Promise<Ran> {
    return await this.#spawn(args, [...input].map((line) => `${line}\n`).join(""));
  }

  objectFormat(): Promise<ObjectFormat> {
    // Git before 2.29 knows one only.
    this.#format ??= this.tryRun(["rev-parse", "--show-object-format"]).then(({ code, stdout }) =>
      code === 0 && stdout.trim() === "sha256" ? "sha256" : "sha1",
    );
    return this.#format;
  }

  /** Where packs are, which work trees share. */
  async packFolder(): Promise<string> {
    return (await this.run(["rev-parse", "--path-format=absolute", "--git-path", "objects/pack"])).trim();
  }

  /** Which of these objects are here, and of what type. */
  async typesOf(oids: Iterable<string>): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const out = await this.run(["cat-file", "--batch-check=%(objectname) %(objecttype)"], oids);
    for (const line of out.split("\n")) {
      const [oid = "", type = ""] = line.split(" ");
      if (type !== "" && type !== "missing") found.set(oid, type);
    }
    return found;
  }

  /**
   * Makes a pack of what `wants` reach and `haves` do not, self-contained.
   * @param folder for the files; the caller removes it
   * @returns undefined when there is nothing new
   */
  async makePack(
    folder: string,
    { wants, haves, args = [] }: { wants: Iterable<string>; haves: Iterable<string>; args?: readonly string[] },
  ): Promise<PackFiles | undefined> {
    const revs = [...wants, ...[...haves].map((oid) => `^${oid}`)];
    await this.run(
      ["pack-objects", "--revs", "--delta-base-offset", "--non-empty", "-q", ...args, join(folder, "pack")],
      revs,
    );
    return await this.#madeIn(folder);
  }

  /** Makes one pack of all that is in these packs, which are in the repository. */
  async mergePacks(folder: string, names: readonly string[]): Promise<PackFiles | undefined> {
    const packs = await this.packFolder();
    const oids = new Set<string>();
    for (const name of names) {
      for (const oid of await this.#oidsIn(join(packs, `${name}.idx`))) oids.add(oid);
    }
    await this.run(["pack-objects", "--delta-base-offset", "--non-empty", "-q", join(folder, "pack")], oids);
    return await this.#madeIn(folder);
  }

  /** Whether one commit is an ancestor of the other, or the same. Objects that are missing: no. */
  async isAncestor(ancestor: string, descendant: string): Promise<boolean> {
    return (await this.tryRun(["merge-base", "--is-ancestor", ancestor, descendant])).code === 0;
  }

  async #oidsIn(index: string): Promise<string[]> {
    const { stdout } = await this.#spawn(
      ["show-index", `--object-format=${await this.objectFormat()}`],
      await readFile(index),
    );
    return stdout.split("\n").flatMap((line) => line.split(" ")[1] ?? []);
  }

  async #madeIn(folder: string): Promise<PackFiles | undefined> {
    const pack = (await readdir(folder)).find((file) => file.endsWith(".pack"));
    if (pack === undefined) return undefined;
    const name = pack.slice(0, -".pack".length);
    const [path, index] = [join(folder, pack), join(folder, `${name}.idx`)];
    const [{ size }, { size: indexSize }] = await Promise.all([stat(path), stat(index)]);
    return { name, pack: path, size, index, indexSize, objects: await objectsIn(path) };
  }

  async #spawn(args: readonly string[], input: string | Uint8Array): Promise<Ran> {
    const child = spawn("git", ["--git-dir", this.gitDir, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      // In a partial clone, a look at what is missing would start the helper that is looking.
      env: { ...process.env, GIT_NO_LAZY_FETCH: "1" },
    });
    const code = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    // A program that ends without reading its input says why otherwise.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const [stdout, stderr, ended] = await Promise.all([text(child.stdout), text(child.stderr), code]);
    return { code: ended, stdout, stderr };
  }
}

/** As its header says (git: Documentation/gitformat-pack). */
async function objectsIn(pack: string): Promise<number> {
  await using file = await open(pack);
  const header = Buffer.alloc(12);
  await file.read(header, 0, header.length, 0);
  return header.readUInt32BE(8);
}
