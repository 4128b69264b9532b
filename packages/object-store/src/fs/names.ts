import type { Stats } from "node:fs";
import { link, readdir, rename, rmdir, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import { lstat, unlink } from "./calls.ts";
import { isErrno } from "./errors.ts";
import { etagOf } from "./file-stat.ts";
import type { Folders } from "./folders.ts";
import { ProcessLock } from "./process-lock.ts";

/** What link(2) says where there are no hard links: FAT, some network mounts, some sandboxes. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** A file that is written and synced and has no name in the store yet. */
export interface WrittenFile {
  readonly path: string;
  readonly stats: Stats;
}

export interface Condition {
  readonly ifAbsent?: boolean;
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

/**
 * Gives objects their names and takes them away, each in one step, which is durable when the call returns. Creating
 * needs no lock, since a hard link never replaces what is there. Whatever replaces or removes holds the lock, so that
 * nothing comes between the look at a version and its replacement.
 */
export class Names {
  readonly #folder: string;
  readonly #folders: Folders;
  /** This store object's own calls, one after the other: the lock is for those of other processes. */
  #queue: Promise<unknown> = Promise.resolve();

  /** @param folder for the lock file */
  constructor(folder: string, folders: Folders) {
    this.#folder = folder;
    this.#folders = folders;
  }

  /** @returns the stats of the file under its new name @throws StorageError `conflict` when the condition says so */
  async give(key: ObjectKey, path: string, file: WrittenFile, o: Condition): Promise<Stats> {
    o.signal?.throwIfAborted();
    const folder = dirname(path);
    await this.#folders.make(folder);
    let stats: Stats;
    try {
      stats = await this.#name(key, path, file, o);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      // Someone removed the folder since it was made; once more, and then it is an error.
      this.#folders.forget();
      await this.#folders.make(folder);
      stats = await this.#name(key, path, file, o);
    }
    await this.#folders.sync(folder);
    return stats;
  }

  /** @throws StorageError `conflict` when `ifMatch` names another version or there is none */
  async take(key: ObjectKey, path: string, o: Condition): Promise<void> {
    if (o.ifMatch === undefined && (await statFile(path)) === undefined) return;
    await this.#exclusively(o, async () => {
      const stats = await statFile(path);
      mustMatch(key, stats, o);
      if (stats !== undefined) await unlink(path);
    });
    await this.#folders.sync(dirname(path));
  }

  #name(key: ObjectKey, path: string, file: WrittenFile, o: Condition): Promise<Stats> {
    return o.ifAbsent === true && o.ifMatch === undefined
      ? this.#create(key, path, file, o)
      : this.#replace(key, path, file, o);
  }

  async #create(key: ObjectKey, path: string, file: WrittenFile, o: Condition): Promise<Stats> {
    try {
      await link(file.path, path);
      return file.stats;
    } catch (error) {
      // Where there are no hard links the lock decides, among Holdall's own processes.
      if (isErrno(error, ...NO_LINKS)) return await this.#replace(key, path, file, o);
      if (!isErrno(error, "EEXIST")) throw error;
      if ((await statFile(path)) === undefined) {
        if (!(await removeHollow(path))) throw isFolder(key, error);
        return await this.#create(key, path, file, o);
      }
      await this.#folders.sync(dirname(path));
      throw alreadyThere(key);
    }
  }

  #replace(key: ObjectKey, path: string, file: WrittenFile, o: Condition): Promise<Stats> {
    return this.#exclusively(o, async () => {
      const old = await statFile(path);
      if (o.ifAbsent === true && old !== undefined) throw alreadyThere(key);
      mustMatch(key, old, o);
      // Clocks go back, and several processes have several: the new version is later than the old one all the same, so
      // that no etag in a chain of replacements ever returns.
      let { stats } = file;
      if (old !== undefined && old.mtimeMs >= stats.mtimeMs) {
        await utimes(file.path, stats.atime, (Math.floor(old.mtimeMs) + 1) / 1000);
        stats = await lstat(file.path);
      }
      try {
        await rename(file.path, path);
      } catch (error) {
        if (!isErrno(error, "EISDIR", "ENOTEMPTY", "EEXIST")) throw error;
        if (!(await removeHollow(path))) throw isFolder(key, error);
        await rename(file.path, path);
      }
      return stats;
    });
  }

  async #exclusively<T>({ signal }: Condition, action: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(async () => {
      signal?.throwIfAborted();
      await this.#folders.make(this.#folder);
      using _lock = await ProcessLock.acquire(join(this.#folder, "swap.lock"), signal);
      return await action();
    });
    this.#queue = run.then(
      () => undefined,
      () => undefined,
    );
    return await run;
  }
}

/** Gives a file a second name. @returns false where there are no hard links */
export async function linkFile(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, ...NO_LINKS)) return false;
    throw error;
  }
}

/** Undefined when there is no file, and so no object. */
export async function statFile(path: string): Promise<Stats | undefined> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? stats : undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Removes a folder in which deletions have left nothing but folders. @returns false when an object is below it */
async function removeHollow(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !(await removeHollow(join(folder, entry.name)))) return false;
  }
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  }
}

function mustMatch(key: ObjectKey, stats: Stats | undefined, { ifMatch }: Condition): void {
  if (ifMatch === undefined) return;
  if (stats === undefined || etagOf(stats) !== ifMatch) {
    throw new StorageError("conflict", `${key} is not the version that was to be replaced: read it again`);
  }
}

export function alreadyThere(key: ObjectKey): StorageError {
  return new StorageError("conflict", `${key} already exists`);
}

function isFolder(key: ObjectKey, cause: unknown): StorageError {
  return new StorageError("invalid", `${key} is the beginning of other keys, which a folder cannot hold beside it`, {
    cause,
  });
}
