import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seededBytes } from "../../test/support/content.ts";
import { makeGitHome } from "../../test/support/git-home.ts";
import type { Sample } from "./series.ts";
import type { Stage } from "./stage.ts";

/** A work tree with large files, and a home folder with nothing of this machine's in it. */
export class GitClient {
  readonly #stage: Stage;
  readonly #env: Readonly<NodeJS.ProcessEnv>;
  readonly #folder: string;
  readonly #files: number;
  /** Bytes of all files. */
  readonly #bytes: number;

  private constructor(
    stage: Stage,
    o: { env: Readonly<NodeJS.ProcessEnv>; folder: string; files: number; size: number },
  ) {
    this.#bytes = o.files * o.size;
    this.#stage = stage;
    this.#env = o.env;
    this.#folder = o.folder;
    this.#files = o.files;
  }

  /** Commits so many files of this size, in bytes, with different contents: those of these seeds. */
  static async create(stage: Stage, o: { files: number; size: number; firstSeed: number }): Promise<GitClient> {
    const { files, size, firstSeed } = o;
    const home = await stage.folder("client");
    const env = await makeGitHome(home, { name: "bench", gitLfs: stage.programs["git-lfs"] });
    const folder = join(home, "work");
    await mkdir(folder);
    const client = new GitClient(stage, { env, folder, files, size });
    await client.#git("init", "--quiet");
    // Nothing is sent there: its objects go to `lfs.url`.
    await client.#git("remote", "add", "origin", join(home, "remote.git"));
    await client.#git("lfs", "track", "*.bin");
    for (let seed = firstSeed; seed < firstSeed + files; seed += 1) {
      await writeFile(join(folder, `${seed}.bin`), seededBytes(seed, size));
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
    await using removed = this.#stage.part();
    await rename(cache, join(await removed.folder("cache"), "objects"));
    const sample = await this.#timed([...settings(lfsUrl, transfers), "lfs", "fetch", "origin", "main"]);
    const entries = await readdir(cache, { recursive: true, withFileTypes: true });
    const came = entries.filter((entry) => entry.isFile()).length;
    if (came !== this.#files) throw new Error(`git lfs fetched ${came} of ${this.#files} objects`);
    return sample;
  }

  async #timed(args: readonly string[]): Promise<Sample> {
    await this.#stage.settleWithMemory(1.25 * this.#bytes);
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
