import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectFormat } from "@holdall/git-protocol";
import { LocalGit } from "@holdall/git-store/core";

/** For how long a cache that nobody uses is kept, in milliseconds. */
const KEPT_FOR = 30 * 24 * 3_600_000;

/** What more packs than these have in common is kept once. */
const MOST_PACKS = 30;

/** Says that every object here has all that it reaches. */
const COMPLETE = "holdall-complete";

/**
 * A bare repository with the objects of one remote, for what cannot be had of a store by itself: parts of a history, and clones
 * without some of the objects. All clones of a user share it. Losing it costs a download.
 */
export class Cache {
  readonly git: LocalGit;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.git = LocalGit.apart(folder);
  }

  /**
   * @param root the folder of all caches
   * @param url of the remote
   */
  static at(root: string, url: string): Cache {
    return new Cache(join(root, createHash("sha256").update(url).digest("hex").slice(0, 32)));
  }

  /** Where its objects are. */
  get objects(): string {
    return join(this.#folder, "objects");
  }

  /** By which hash it names its objects, if it has all objects that those here reach. */
  async completeFormat(): Promise<ObjectFormat | undefined> {
    return (await exists(join(this.#folder, COMPLETE))) ? await this.git.objectFormat() : undefined;
  }

  /** Makes it be there, for repositories of this format. */
  async prepare(format: ObjectFormat): Promise<void> {
    const isThere = await exists(join(this.#folder, "HEAD"));
    if (isThere && (await LocalGit.apart(this.#folder).objectFormat()) !== format) {
      await rm(this.#folder, { recursive: true, force: true });
    } else if (isThere) return;
    await mkdir(join(this.#folder, ".."), { recursive: true, mode: 0o700 });
    // Made aside, so that nobody meets half of it. Of two at once either will do.
    const aside = `${this.#folder}.${process.pid}`;
    await this.git.run(["init", "--quiet", "--bare", `--object-format=${format}`, aside]);
    try {
      await rename(aside, this.#folder);
    } catch {
      if (await exists(join(this.#folder, "HEAD"))) return await rm(aside, { recursive: true, force: true });
      // What is left of one that was removed in part.
      await rm(this.#folder, { recursive: true, force: true });
      await rename(aside, this.#folder);
    }
  }

  /** Does what brings objects, so that the cache is never taken for complete when that ends halfway. */
  async complete(bring: () => Promise<void>): Promise<void> {
    const mark = join(this.#folder, COMPLETE);
    await rm(mark, { force: true });
    await bring();
    const packs = (await readdir(join(this.objects, "pack"))).filter((name) => name.endsWith(".pack"));
    // The remote merges its packs, too, so that much comes several times.
    if (packs.length > MOST_PACKS) await this.git.run(["repack", "-adkq"]);
    await writeFile(mark, "");
  }

  /** Notes that it was used, and removes its siblings that were not for long. */
  async touch(): Promise<void> {
    const now = new Date();
    await utimes(this.#folder, now, now);
    const root = join(this.#folder, "..");
    for (const name of await readdir(root)) {
      const folder = join(root, name);
      const used = await stat(folder).catch(() => undefined);
      if (used !== undefined && now.getTime() - used.mtimeMs > KEPT_FOR)
        await rm(folder, { recursive: true, force: true });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
