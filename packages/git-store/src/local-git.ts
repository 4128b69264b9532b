import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from "node:child_process";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { ObjectFormat } from "@holdall/git-protocol";
import { GitStoreError } from "./errors.ts";
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

export interface Streamed {
  readonly input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Is given what git writes, piece by piece. */
  readonly pass: (bytes: Uint8Array) => Promise<void>;
  /** Added to the environment. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Takes git's own progress, as it is. */
  readonly draw?: ((text: string) => void) | undefined;
  /** Exit codes that are no failure. */
  readonly fine?: readonly number[];
}

/** What git tells its children of the repository that it works on (`git rev-parse --local-env-vars`). */
const OF_A_REPOSITORY = [
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_CONFIG",
  "GIT_CONFIG_PARAMETERS",
  "GIT_CONFIG_COUNT",
  "GIT_OBJECT_DIRECTORY",
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_GRAFT_FILE",
  "GIT_INDEX_FILE",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_REPLACE_REF_BASE",
  "GIT_PREFIX",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_SHALLOW_FILE",
  "GIT_COMMON_DIR",
];

/** What does not change while git works. */
interface Facts {
  readonly format: ObjectFormat;
  /** Absolute. Undefined where there is no repository. */
  readonly paths: { readonly objects: string; readonly notes: string } | undefined;
  /** The file that lists commits without their parents; undefined when there are none. */
  readonly shallow: string | undefined;
}

/** What users may have set otherwise: a pack is one file here, however large, and its index of the version that everybody reads. */
const SETTINGS = ["-c", "pack.packSizeLimit=0", "-c", "pack.indexVersion=2"];

/** By which git's commands end that were called in a way that they do not know. */
const UNKNOWN_OPTION = 129;

/** The user's own git, on one repository. */
export class LocalGit {
  /** As `GIT_DIR` has it. */
  readonly gitDir: string;
  readonly #env: Readonly<NodeJS.ProcessEnv>;
  #facts: Promise<Facts> | undefined;
  #partial: Promise<boolean> | undefined;

  constructor(gitDir: string, env: Readonly<NodeJS.ProcessEnv> = process.env) {
    this.gitDir = gitDir;
    this.#env = {
      ...env,
      // In a partial clone, a look at what is missing would start the helper that is looking.
      GIT_NO_LAZY_FETCH: "1",
      // Others have the histories as they are, and not as grafts and replacements show them here.
      GIT_NO_REPLACE_OBJECTS: "1",
      GIT_GRAFT_FILE: join(gitDir, "holdall", "no-grafts"),
      // Refs are written to files here, which git would not look at in another format.
      GIT_DEFAULT_REF_FORMAT: "files",
      // What is made here is of this format, unless it is said; git before 2.28 could not be told.
      GIT_DEFAULT_HASH: "sha1",
    };
  }

  /** Another repository than the one that the environment speaks of. */
  static apart(gitDir: string): LocalGit {
    const env = { ...process.env };
    for (const name of OF_A_REPOSITORY) delete env[name];
    return new LocalGit(gitDir, env);
  }

  /**
   * Runs a command on what may be larger than memory, on either side.
   * @throws GitError when it fails; what the input throws, or `pass`, and then git is ended
   */
  async stream(args: readonly string[], { input, pass, env = {}, draw, fine = [0] }: Streamed): Promise<void> {
    const child = this.#start(args, env);
    const ended = exitOf(child);
    if (draw !== undefined) child.stderr.on("data", (bytes: Buffer) => draw(bytes.toString()));
    const said = text(child.stderr);
    let broken: { readonly error: unknown } | undefined;
    const end = (error: unknown): void => {
      broken ??= { error };
      child.kill();
    };
    const watched = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* input;
      } catch (error) {
        end(error);
        throw error;
      }
    };
    const read = async (): Promise<void> => {
      try {
        for await (const bytes of child.stdout) await pass(bytes);
      } catch (error) {
        end(error);
      }
    };
    // When it stops reading, it says why itself.
    const write = pipeline(watched, child.stdin).catch(() => undefined);
    const [, , code, why] = await Promise.all([write, read(), ended, said]);
    if (broken !== undefined) throw broken.error;
    if (code === null || !fine.includes(code)) throw new GitError(args, code, why);
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

  /** Makes it a bare repository. @throws GitError for `sha256` when git does not know that, before 2.29 */
  async init(format: ObjectFormat): Promise<void> {
    const named = format === "sha1" ? [] : [`--object-format=${format}`];
    await this.run(["init", "--quiet", "--bare", ...named, this.gitDir]);
  }

  async isRepository(): Promise<boolean> {
    return (await this.#known()).paths !== undefined;
  }

  /** By which hash the repository names its objects. Outside of one: the usual one. */
  async objectFormat(): Promise<ObjectFormat> {
    return (await this.#known()).format;
  }

  /** Where packs are, which work trees share. */
  async packFolder(): Promise<string> {
    return join(await this.objectFolder(), "pack");
  }

  /** Where objects are, with room for those that are on their way. */
  async objectFolder(): Promise<string> {
    return (await this.#paths()).objects;
  }

  /** Where Holdall may keep notes. It need not be there. */
  async noteFolder(): Promise<string> {
    return (await this.#paths()).notes;
  }

  /** Commits that have no parents here, because the clone is shallow. */
  async shallowCommits(): Promise<ReadonlySet<string>> {
    const { shallow } = await this.#known();
    const lines = shallow === undefined ? "" : await readFile(shallow, "utf8");
    return new Set(lines.split("\n").filter((line) => line !== ""));
  }

  /** Whether objects may be missing here because a remote is to give them when they are needed. */
  isPartial(): Promise<boolean> {
    const settings = ["config", "--get-regexp", String.raw`^(extensions\.partialclone|remote\..*\.promisor)$`];
    this.#partial ??= this.tryRun(settings).then(({ code }) => code === 0);
    return this.#partial;
  }

  /** Whether all that these objects reach is here, as git itself looks after a fetch. */
  async isComplete(oids: Iterable<string>): Promise<boolean> {
    const args = ["rev-list", "--objects", "--stdin", "--not", "--all", "--quiet", "--alternate-refs"];
    return (await this.tryRun(args, oids)).code === 0;
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
   * @param o.draw is given git's own progress, for a terminal
   * @returns undefined when there is nothing new
   */
  async makePack(
    folder: string,
    o: {
      readonly wants: Iterable<string>;
      readonly haves: Iterable<string>;
      readonly draw?: ((text: string) => void) | undefined;
    },
  ): Promise<PackFiles | undefined> {
    const revs = [...o.wants, ...[...o.haves].map((oid) => `^${oid}`)].map((rev) => `${rev}\n`);
    const progress = o.draw === undefined ? "-q" : "--progress";
    const args = ["pack-objects", "--revs", "--delta-base-offset", "--non-empty", progress, join(folder, "pack")];
    const { code, stderr } = await this.#spawn(args, revs.join(""), o.draw);
    if (code !== 0) throw new GitError(args, code, stderr);
    return await this.#madeIn(folder);
  }

  /**
   * Makes one pack of all that is in these packs, which are in the repository.
   * @returns undefined when git cannot do that: before 2.32
   */
  async mergePacks(folder: string, names: readonly string[]): Promise<PackFiles | undefined> {
    // Of names alone git would not know which objects are versions of one file, and keep most of them whole.
    const args = ["pack-objects", "--stdin-packs", "--delta-base-offset", "--non-empty", "-q", join(folder, "pack")];
    const lines = names.map((name) => `${name}.pack`);
    const { code, stderr } = await this.tryRun(args, lines);
    if (code === UNKNOWN_OPTION) return undefined;
    if (code !== 0) throw new GitError(args, code, stderr);
    return await this.#madeIn(folder);
  }

  /** Whether one commit is an ancestor of the other, or the same. Objects that are missing: no. */
  async isAncestor(ancestor: string, descendant: string): Promise<boolean> {
    return (await this.tryRun(["merge-base", "--is-ancestor", ancestor, descendant])).code === 0;
  }

  async #paths(): Promise<NonNullable<Facts["paths"]>> {
    const { paths } = await this.#known();
    if (paths !== undefined) return paths;
    throw new GitStoreError("unsupported", `git finds no repository at ${JSON.stringify(resolve(this.gitDir))}`);
  }

  /** Asked once, as each question takes a process. */
  #known(): Promise<Facts> {
    this.#facts ??= this.#ask();
    return this.#facts;
  }

  async #ask(): Promise<Facts> {
    const { code, stdout } = await this.tryRun([
      "rev-parse",
      "--is-shallow-repository",
      "--git-path",
      "objects",
      // Work trees share what is noted, as they share objects.
      "--git-common-dir",
      "--git-path",
      "shallow",
      "--show-object-format",
    ]);
    if (code !== 0) return { format: "sha1", paths: undefined, shallow: undefined };
    const [isShallow, objects = "", common = "", shallow = "", format, ...rest] = stdout.split("\n");
    if (rest.length !== 1) {
      // Some of the first one would be taken for a path.
      const where = JSON.stringify(resolve(this.gitDir));
      throw new GitStoreError(
        "unsupported",
        `the repository ${where} is in a folder with a line end in its name: rename it`,
      );
    }
    return {
      // Git before 2.29 knows one only, and repeats the question.
      format: format === "sha256" ? "sha256" : "sha1",
      paths: { objects: resolve(objects), notes: resolve(common, "holdall") },
      shallow: isShallow === "true" ? resolve(shallow) : undefined,
    };
  }

  async #madeIn(folder: string): Promise<PackFiles | undefined> {
    const [pack, ...others] = (await readdir(folder)).filter((file) => file.endsWith(".pack"));
    if (pack === undefined) return undefined;
    if (others.length > 0) throw new Error(`git made ${others.length + 1} packs where there was to be one`);
    const name = pack.slice(0, -".pack".length);
    const [path, index] = [join(folder, pack), join(folder, `${name}.idx`)];
    const [{ size }, { size: indexSize }] = await Promise.all([stat(path), stat(index)]);
    return { name, pack: path, size, index, indexSize, objects: await objectsIn(path) };
  }

  #start(args: readonly string[], env: Readonly<NodeJS.ProcessEnv> = {}): ChildProcessWithoutNullStreams {
    return spawn("git", ["--git-dir", this.gitDir, ...SETTINGS, ...args], { env: { ...this.#env, ...env } });
  }

  /** @param draw is given what it says, as it is said */
  async #spawn(args: readonly string[], input: string | Uint8Array, draw?: (text: string) => void): Promise<Ran> {
    const child = this.#start(args);
    const code = exitOf(child);
    // A program that ends without reading its input says why otherwise.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    if (draw !== undefined) child.stderr.on("data", (bytes: Buffer) => draw(bytes.toString()));
    const [stdout, stderr, ended] = await Promise.all([text(child.stdout), text(child.stderr), code]);
    return { code: ended, stdout, stderr };
  }
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

/** As its header says (git: Documentation/gitformat-pack). */
async function objectsIn(pack: string): Promise<number> {
  await using file = await open(pack);
  const header = Buffer.alloc(12);
  await file.read(header, 0, header.length, 0);
  return header.readUInt32BE(8);
}
