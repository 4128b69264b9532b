import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

const HELPER = join(import.meta.dirname, "helper.ts");

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Somebody with git and the helper, and folders of their own. */
export class User {
  readonly folder: string;
  readonly #env: Readonly<NodeJS.ProcessEnv>;

  private constructor(folder: string, env: Readonly<NodeJS.ProcessEnv>) {
    this.folder = folder;
    this.#env = env;
  }

  static async create(t: TestContext): Promise<User> {
    const folder = await mkdtemp(join(tmpdir(), "holdall-git-remote-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const bin = join(folder, "bin");
    await mkdir(bin);
    const program = join(bin, "git-remote-folder");
    await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${HELPER}' "$@"\n`);
    await chmod(program, 0o755);
    const who = { NAME: "Ada", EMAIL: "ada@example.org" };
    return new User(folder, {
      PATH: [bin, process.env["PATH"]].join(delimiter),
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      // As the programs have it that users have: helpers are started hundreds of times.
      NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
      ...Object.fromEntries(
        ["AUTHOR", "COMMITTER"].flatMap((role) =>
          Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
        ),
      ),
    });
  }

  /** Runs git in a folder of the user's, whatever comes of it. */
  try(folder: string, ...args: readonly string[]): Promise<Said> {
    return new Promise((resolve) => {
      const options = { cwd: join(this.folder, folder), env: this.#env, maxBuffer: 64 * 1024 * 1024 };
      execFile("git", ["-c", "init.defaultBranch=main", ...args], options, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err });
      });
    });
  }

  /** @throws Error with what git said unless it exits with 0 */
  async git(folder: string, ...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.try(folder, ...args);
    if (code !== 0) throw new Error(`git ${args.join(" ")} ended with ${code}: ${out}${err}`);
    return out.trim();
  }

  /** A work tree whose `origin` is the repository in that folder. */
  async init(name: string, store: string, ...args: readonly string[]): Promise<void> {
    await this.git(".", "init", "--quiet", ...args, name);
    await this.git(name, "remote", "add", "origin", `folder::${store}`);
  }

  /** @returns the commit */
  async commit(work: string, file: string, text = `${file}\n`): Promise<string> {
    await writeFile(join(this.folder, work, file), text);
    await this.git(work, "add", "--all");
    await this.git(work, "commit", "--quiet", "--message", file);
    return await this.git(work, "rev-parse", "HEAD");
  }
}
