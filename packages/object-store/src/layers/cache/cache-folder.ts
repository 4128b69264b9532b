import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { StorageError } from "../../errors.ts";
import { isErrno } from "../../fs/errors.ts";
import { makeFolder } from "../../fs/make-folder.ts";
import { ProcessLock } from "../../fs/process-lock.ts";
import { entriesIn, filesIn, fillsIn, FOLDER_MODE, isShare, removeEntries, removeFile, removeFills } from "./files.ts";
import { Share } from "./share.ts";

/** The folder of the cache: a share for each process, with a lock beside it that its owner holds for as long as it lives. */
export class CacheFolder {
  readonly #path: string;
  readonly #shares: readonly string[];
  readonly #room: number;

  /**
   * @param o.size what all shares may take together, in bytes
   * @param o.processes how many processes share the folder
   */
  constructor({ path, size, processes }: { path: string; size: number; processes: number }) {
    this.#path = path;
    this.#shares = Array.from({ length: processes }, (_, number) => join(path, String(number)));
    this.#room = Math.floor(size / processes);
  }

  /** Where an entry may be: anybody may read all shares. */
  pathsOf(name: string): string[] {
    return this.#shares.map((share) => join(entriesIn(share), name));
  }

  /** Removes an entry wherever it is, and whatever is about to become one. */
  async drop(name: string): Promise<void> {
    // In this order: what is named between the two is found then.
    await Promise.all(
      this.#shares.map(async (share) => {
        await removeFills(share, name);
        await removeFile(join(entriesIn(share), name));
      }),
    );
  }

  /**
   * Takes a share that nobody has.
   * @param onMany is called when it takes long, because of all that is there
   * @throws StorageError when there is none; errors of the system
   */
  async claim(onMany: () => void): Promise<Share> {
    await makeFolder(this.#path, FOLDER_MODE);
    for (const folder of this.#shares) {
      const lock = ProcessLock.tryAcquire(lockOf(folder));
      if (lock === undefined) {
        // To try them all takes longer than anybody else should wait.
        await setImmediate();
        continue;
      }
      const share = new Share(folder, this.#room, lock);
      try {
        await share.open(onMany);
        return share;
      } catch (error) {
        share.close();
        throw error;
      }
    }
    const message = `all ${this.#shares.length} parts of the cache ${this.#path} are in use: give each server a folder of its own`;
    throw new StorageError("unavailable", message);
  }

  /**
   * Removes what dead processes were filling, and shares that are one too many. May be called at any time, by any process.
   * @returns the number of files that were being filled
   */
  async sweep(): Promise<number> {
    let removed = 0;
    for (const name of await filesIn(this.#path)) {
      if (!isShare(name)) continue;
      const folder = join(this.#path, name);
      // Held by its owner as long as that lives. The files of locks stay: somebody may be about to take them.
      using lock = ProcessLock.tryAcquire(lockOf(folder));
      if (lock === undefined) continue;
      removed += await removeFills(folder);
      if (!this.#shares.includes(folder)) await removeShare(folder);
    }
    return removed;
  }
}

function lockOf(share: string): string {
  return `${share}.lock`;
}

/** Leaves what is not ours. */
async function removeShare(folder: string): Promise<void> {
  await removeEntries(folder);
  for (const path of [fillsIn(folder), entriesIn(folder), folder]) {
    try {
      await rmdir(path);
    } catch (error) {
      if (!isErrno(error, "ENOENT", "ENOTEMPTY", "EEXIST")) throw error;
    }
  }
}
