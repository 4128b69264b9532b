import { mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { seededBytes } from "../../test/support/content.ts";
import type { Sample } from "./series.ts";
import type { Stage } from "./stage.ts";

/** A work tree with large files, and a home folder with nothing of this machine's in it. */
export class GitClient {
  readonly #stage: Stage;
  readonly #env: Readonly<NodeJS.ProcessEnv>;
  readonly #folder: string;
  readonly #files: number;

  private constructor(stage: Stage, home: string, files: number) {
    this.#stage = stage;
    this.#folder = join(home, "work");
    this.#files = files;
    this.#env = {
      HOME: home,
      PATH: [join(home, "bin"), process.env["PATH"]].join(delimiter),
      GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
    };
  }

  /** Commits so many files of this size, in bytes, with different contents. */
  static async create(stage: Stage, files: number, size: number): Promise<GitClient> {
    const home = await stage.folder("client");
    const client = new GitClient(stage, home, files);
    await mkdir(join(home, "bin"));
    await symlink(stage.programs["git-lfs"].path, join(home, "bin", "git-lfs"));
    await mkdir(client.#folder);
    await client.#git("config", "--global", "user.name", "Bench");
    await client.#git("config", "--global", "user.email", "bench@example.invalid");
    await client.#git("lfs", "install", "--skip-repo");
    await client.#git("init", "--quiet", "--initial-branch=main");
    // Nothing is sent there: its objects go to `lfs.url`.
    await client.#git("remote", "add", "origin", join(home, "remote.git"));
    await client.#git("lfs", "track", "*.bin");
    for (let seed = 0; seed < files; seed += 1) {
      await writeFile(join(client.#folder, `${seed}.bin`), seededBytes(seed, size));
    }
    await client.#git("add", "--all");
    await client.#git("commit", "--quiet", "--message", "Load");
    return client;
  }

  /** `git lfs push` of everything. @returns objects a second */
  async push(lfsUrl: string, transfers: number): Promise<Sample> {
    return this.#timed([...settings(lfsUrl, transfers), "lfs", "push", "--all", "origin", "main"]);
  }

  /** `git lfs fetch` into an empty cache. @returns objects a second. @throws Error unless everything came */
  async fetch(lfsUrl: string, transfers: number): Promise<Sample> {
    const cache = join(this.#folder, ".git", "lfs", "objects");
    await rm(cache, { recursive: true });
    const sample = await this.#timed([...settings(lfsUrl, transfers), "lfs", "fetch", "origin", "main"]);
    const entries = await readdir(cache, { recursive: true, withFileTypes: true });
    const came = entries.filter((entry) => entry.isFile()).length;
    if (came !== this.#files) throw new Error(`git lfs fetched ${came} of ${this.#files} objects`);
    return sample;
  }

  async #timed(args: readonly string[]): Promise<Sample> {
    await this.#stage.settle();
    const { seconds, cpuSeconds } = await this.#git(...args);
    return { value: this.#files / seconds, clientCpu: cpuSeconds };
  }

  #git(...args: readonly string[]): ReturnType<Stage["run"]> {
    return this.#stage.run("git", args, { cwd: this.#folder, env: this.#env });
  }
}

function settings(lfsUrl: string, transfers: number): string[] {
  return ["-c", `lfs.url=${lfsUrl}`, "-c", `lfs.concurrenttransfers=${transfers}`];
}
