import { mkdir, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { FoundService } from "../../../scripts/services.ts";
import { CHECKOUT } from "../holdall.ts";
import { type Finished, run, type RunOptions, runWell } from "../run.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import type { Remote } from "./places.ts";

/** Where npm has put our programs: what stands first on the PATH of whoever follows the documentation. */
const BIN = join(CHECKOUT, "node_modules", ".bin");

export interface PersonOptions {
  /** What the person's stores need. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Another git than the machine's. */
  readonly git?: FoundService | undefined;
}

/** Somebody with git and our helpers, at a machine of their own. Folders are named below their home. */
export class Person {
  readonly home: string;
  /** The whole environment of the person's programs. */
  readonly env: Readonly<NodeJS.ProcessEnv>;

  private constructor(home: string, env: Readonly<NodeJS.ProcessEnv>) {
    this.home = home;
    this.env = env;
  }

  static async create(t: TestContext, o: PersonOptions = {}): Promise<Person> {
    const home = await temporaryFolder(t, "person");
    const temporary = join(home, ".tmp");
    await mkdir(temporary);
    const settings = { init: "defaultBranch = main", advice: "detachedHead = false" };
    const config = Object.entries(settings).map(([section, line]) => `[${section}]\n\t${line}\n`);
    await writeFile(join(home, ".gitconfig"), config.join(""));
    const first = o.git === undefined ? [BIN] : [dirname(o.git.path), BIN];
    const who = { NAME: "Ada", EMAIL: "ada@example.invalid" };
    const roles = ["AUTHOR", "COMMITTER"].flatMap((role) =>
      Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
    );
    return new Person(home, {
      HOME: home,
      TMPDIR: temporary,
      // As on a machine where it has run before.
      NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
      PATH: [...first, process.env["PATH"]].join(delimiter),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      ...Object.fromEntries(roles),
      ...o.env,
    });
  }

  /** The same person, with other variables of the environment. */
  with(env: Readonly<NodeJS.ProcessEnv>): Person {
    return new Person(this.home, { ...this.env, ...env });
  }

  /** Runs git in a folder. @returns what it printed, trimmed. @throws Error with all it said unless it exits with 0 */
  async git(folder: string, ...args: readonly string[]): Promise<string> {
    return (await this.#run(runWell, folder, args)).stdout.trim();
  }

  /** Runs git in a folder, whatever its exit code. */
  async tryGit(folder: string, ...args: readonly string[]): Promise<Finished> {
    return await this.#run(run, folder, args);
  }

  /** Runs git in a folder with lines on its standard input. */
  async feed(folder: string, args: readonly string[], lines: readonly string[]): Promise<string> {
    const input = lines.map((line) => `${line}\n`).join("");
    return (await this.#run(runWell, folder, args, { input })).stdout.trim();
  }

  /** A new work tree whose `origin` is the remote. @param args of `git init` */
  async init(folder: string, remote: Pick<Remote, "url">, ...args: readonly string[]): Promise<void> {
    await this.git(".", "init", "--quiet", ...args, folder);
    await this.git(folder, "remote", "add", "origin", remote.url);
  }

  async clone(folder: string, remote: Pick<Remote, "url">, ...args: readonly string[]): Promise<void> {
    await this.git(".", "clone", "--quiet", ...args, remote.url, folder);
  }

  async write(folder: string, name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.home, folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }

  /** Commits one file, which is named after the message. @returns the commit */
  async commit(folder: string, message: string, content: string | Uint8Array = `${message}\n`): Promise<string> {
    await this.write(folder, message, content);
    await this.git(folder, "add", "--all");
    await this.git(folder, "commit", "--quiet", "--message", message);
    return await this.git(folder, "rev-parse", "HEAD");
  }

  /** What is left where the person's programs put what they need for a moment. */
  async temporaries(): Promise<readonly string[]> {
    return (await readdir(join(this.home, ".tmp"))).toSorted();
  }

  path(...names: readonly string[]): string {
    return join(this.home, ...names);
  }

  async #run(
    how: typeof run,
    folder: string,
    args: readonly string[],
    o: Pick<RunOptions, "input"> = {},
  ): Promise<Finished> {
    return await how("git", args, { cwd: join(this.home, folder), env: this.env, ...o });
  }
}
