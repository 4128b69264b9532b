import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ObjectFormat } from "@holdall/git-protocol";
import { LocalGit, Temporary } from "@holdall/git-store/core";

/** For how long a cache that nobody uses is kept, in milliseconds. */
const KEPT_FOR = 30 * 24 * 3_600_000;

/** What more packs than these have in common is kept once. */
const MOST_PACKS = 30;

/**
 * A bare repository with the objects of one remote, for what cannot be had of a store by itself: parts of a history, and clones
 * without some of the objects. Each has all that it reaches here, at any moment: what brings them brings them in such an order. All
 * clones of a user share it. Losing it costs a download.
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
    return new Cache(resolve(root, createHash("sha256").update(url).digest("hex").slice(0, 32)));
  }

  /** Where its objects are. */
  get objects(): string {
    return join(this.#folder, "objects");
  }

  /** By which hash it names its objects. Undefined: it is not there, or of no use. */
  async format(): Promise<ObjectFormat | undefined> {
    // As it is now, and not as it was before it was made anew.
    const git = LocalGit.apart(this.#folder);
    return (await git.isRepository()) ? await git.objectFormat() : undefined;
  }

  /** Makes it be there, for repositories of this format. */
  async prepare(format: ObjectFormat): Promise<void> {
    if ((await this.format()) === format) return;
    await mkdir(join(this.#folder, ".."), { recursive: true, mode: 0o700 });
    // Made aside, so that nobody meets half of it. Of two at once either will do.
    await using aside = new Temporary(await mkdtemp(`${this.#folder}.`));
    await LocalGit.apart(aside.path).init(format);
    try {
      await rename(aside.path, this.#folder);
    } catch {
      if ((await this.format()) === format) return;
      // It is of another format, or what is left of one that was removed in part.
      await rm(this.#folder, { recursive: true, force: true });
      await rename(aside.path, this.#folder);
    }
  }

  /** Makes room, after more has come. */
  async tidy(): Promise<void> {
    const packs = (await readdir(join(this.objects, "pack"))).filter((name) => name.endsWith(".pack"));
    // The remote merges its packs, too, so that much comes several times.
    if (packs.length > MOST_PACKS) await this.git.run(["repack", "-adkq"]);
    // What fetches that were killed have left of packs: here nobody else clears up.
    await this.git.run(["prune", "--expire=1.day.ago"]);
  }

  /** Notes that it is used, and removes its siblings that were not for long. */
  async touch(): Promise<void> {
    const now = new Date();
    await utimes(this.#folder, now, now);
    const root = join(this.#folder, "..");
    for (const name of await readdir(root)) {
      const folder = join(root, name);
      const used = await stat(folder).catch(() => undefined);
      if (used === undefined || now.getTime() - used.mtimeMs <= KEPT_FOR) continue;
      // It may be somebody else's, or go at this moment: nobody is to wait for room in vain.
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}
