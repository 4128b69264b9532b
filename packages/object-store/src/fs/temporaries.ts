import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { isErrno } from "./errors.ts";
import { ProcessLock } from "./process-lock.ts";

const LOCK_SUFFIX = ".lock";

/**
 * The private folder of one store object for files that are not published yet, and the sweep of folders whose owner is
 * gone. Each folder has a lock beside it that its owner holds for as long as it lives, so a sweep at any time, by any
 * process on the machine, tells the orphans of a kill -9 from uploads that are under way, without looking at clocks.
 */
export class Temporaries {
  readonly #parent: string;
  #own: Promise<{ folder: string; lock: ProcessLock }> | undefined;
  #count = 0;

  /** @param parent holds one folder and one lock for each living owner; in the same file system as the objects */
  constructor(parent: string) {
    this.#parent = parent;
  }

  /** A path for a new file in the private folder, which is made on first use: a reader needs none. */
  async newPath(): Promise<string> {
    this.#own ??= this.#claim();
    const { folder } = await this.#own;
    this.#count += 1;
    return join(folder, this.#count.toString(36));
  }

  async #claim(): Promise<{ folder: string; lock: ProcessLock }> {
    try {
      await mkdir(this.#parent, { recursive: true });
      for (;;) {
        const folder = join(this.#parent, randomBytes(8).toString("hex"));
        // The lock comes first: a folder without a held lock is an orphan.
        const lock = ProcessLock.tryAcquire(folder + LOCK_SUFFIX);
        // A sweeper took the lock between its file's creation and ours of the lock: take another name.
        if (lock === undefined) continue;
        await mkdir(folder, { mode: 0o700 });
        return { folder, lock };
      }
    } catch (error) {
      this.#own = undefined;
      throw error;
    }
  }

  /** Removes what dead owners left behind; returns the number of files removed. */
  async sweep(): Promise<number> {
    const own = await this.#own;
    const owners = new Set((await listFolder(this.#parent)).map((name) => basename(name, LOCK_SUFFIX)));
    let removed = 0;
    for (const owner of owners) {
      const folder = join(this.#parent, owner);
      if (folder === own?.folder) continue;
      using lock = ProcessLock.tryAcquire(folder + LOCK_SUFFIX);
      if (lock === undefined) continue;
      removed += (await listFolder(folder)).length;
      await rm(folder, { recursive: true, force: true });
      await rm(folder + LOCK_SUFFIX, { force: true });
    }
    return removed;
  }

  /** Gives up the private folder. Files that are still being written in it lose their name. */
  async close(): Promise<void> {
    const own = await this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    await rm(own.folder, { recursive: true, force: true });
    await rm(own.folder + LOCK_SUFFIX, { force: true });
    own.lock.release();
  }
}

async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
