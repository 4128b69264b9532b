import type { Stats } from "node:fs";
import { link, mkdir, rename, rm, unlink, utimes } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { StorageError } from "../errors.ts";
import { parseKey, type ObjectKey } from "../key.ts";
import type {
  CallOptions,
  Capabilities,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  PutOptions,
  StoredObject,
} from "../port.ts";
import { resolveRange } from "../range.ts";
import { close, fstat, lstat, open } from "./calls.ts";
import { fsError, isErrno } from "./errors.ts";
import { Folders } from "./folders.ts";
import { ProcessLock } from "./process-lock.ts";
import { FileBody, READ_SIZE, readExactly } from "./read-body.ts";
import { Temporaries } from "./temporaries.ts";
import { walk } from "./walk.ts";
import { writeBody } from "./write-body.ts";

/** Holdall's own folder under the root; no key starts with it. */
const PRIVATE_FOLDER = ".holdall";

/** What link(2) says where there are no hard links: FAT, some network mounts, some sandboxes. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/**
 * Objects as files below a folder, one for each key, at the path that the key spells. Put writes a private temporary
 * file in the same file system, syncs it, gives it its name in one step and syncs the folder, so whatever has a name is
 * whole and stays. Other programs may read the folder; they must not write to it.
 */
export class FsStore implements ObjectStore {
  readonly capabilities: Capabilities = { putIfAbsent: true, compareAndSwap: true, checkSha256: false };
  readonly #root: string;
  readonly #temporaries: Temporaries;
  readonly #folders: Folders;
  /** Conditional replacements of this store object, one after the other; see {@link FsStore.#exclusively}. */
  #exclusive: Promise<unknown> = Promise.resolve();

  /** @param root made at the first put if it does not exist */
  constructor(root: string) {
    this.#root = resolve(root);
    this.#temporaries = new Temporaries(join(this.#root, PRIVATE_FOLDER, "tmp"));
    this.#folders = new Folders(this.#root);
  }

  async stat(key: ObjectKey, _o: CallOptions = {}): Promise<ObjectStat | undefined> {
    const stats = await this.#stats(this.#path(key), key);
    return stats === undefined ? undefined : new FileStat(key, stats);
  }

  async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    const path = this.#path(key);
    let fd: number | undefined;
    try {
      fd = await open(path, "r");
      const stats = await fstat(fd);
      if (!stats.isFile()) throw new StorageError("not-found", `there is no object ${key}`);
      const range = resolveRange(key, stats.size, o.range);
      if (range.length > READ_SIZE) {
        const body = new FileBody(fd, key, range.start, range.length);
        fd = undefined;
        return new OpenFile(key, stats, range, body);
      }
      const bytes = await readExactly(fd, key, range.start, range.length);
      return new OpenFile(key, stats, range, oneChunk(bytes));
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) {
        throw new StorageError("not-found", `there is no object ${key}`, { cause: error });
      }
      throw fsError(error, `opening ${key}`);
    } finally {
      if (fd !== undefined) await close(fd);
    }
  }

  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectStat> {
    if (o.sha256 !== undefined) {
      throw new StorageError("unsupported", "a folder does not check digests: wrap the store in the verify layer");
    }
    const path = this.#path(key);
    try {
      if (o.ifAbsent === true && (await this.#stats(path, key)) !== undefined) {
        return await this.#refuse(key, path, body);
      }
      const temporary = await this.#temporaries.newPath();
      try {
        const stats = await this.#write(temporary, body, o);
        await this.#folders.make(dirname(path));
        await this.#publish(temporary, path, key, o);
        return o.ifMatch === undefined ? new FileStat(key, stats) : await this.#mustStat(path, key);
      } finally {
        await rm(temporary, { force: true });
      }
    } catch (error) {
      throw fsError(error, `storing ${key}`);
    }
  }

  async delete(key: ObjectKey, o: DeleteOptions = {}): Promise<void> {
    const path = this.#path(key);
    try {
      if (o.ifMatch === undefined) {
        await this.#unlink(path);
      } else {
        await this.#exclusively(async () => {
          await this.#mustMatch(path, key, o.ifMatch);
          await this.#unlink(path);
        });
      }
    } catch (error) {
      throw fsError(error, `deleting ${key}`);
    }
  }

  async *list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    try {
      for await (const name of walk(this.#root, prefix, o.after ?? "", PRIVATE_FOLDER)) {
        // A name that no key spells was not put there by us.
        const key = keyOrUndefined(name);
        const stats = key === undefined ? undefined : await this.#stats(this.#path(key), key);
        if (key !== undefined && stats !== undefined) yield new FileStat(key, stats);
      }
    } catch (error) {
      throw fsError(error, `listing ${prefix === "" ? "the store" : prefix}`);
    }
  }

  async sweep(): Promise<number> {
    try {
      return await this.#temporaries.sweep();
    } catch (error) {
      throw fsError(error, "removing orphaned temporary files");
    }
  }

  async close(): Promise<void> {
    await this.#temporaries.close();
  }

  #path(key: ObjectKey): string {
    if (key === PRIVATE_FOLDER || key.startsWith(`${PRIVATE_FOLDER}/`)) {
      throw new StorageError("invalid", `keys below ${PRIVATE_FOLDER}/ are reserved in a folder`);
    }
    return join(this.#root, key);
  }

  async #stats(path: string, key: ObjectKey): Promise<Stats | undefined> {
    try {
      const stats = await lstat(path);
      return stats.isFile() ? stats : undefined;
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw fsError(error, `looking at ${key}`);
    }
  }

  async #mustStat(path: string, key: ObjectKey): Promise<ObjectStat> {
    const stats = await this.#stats(path, key);
    if (stats === undefined) throw new StorageError("conflict", `${key} was removed by another process`);
    return new FileStat(key, stats);
  }

  /** The answer to a create when the object exists: the body has its say, and what exists is made sure of. */
  async #refuse(key: ObjectKey, path: string, body: AsyncIterable<Uint8Array>): Promise<never> {
    for await (const _ of body);
    await this.#folders.sync(dirname(path));
    throw alreadyThere(key);
  }

  async #write(temporary: string, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<Stats> {
    const fd = await open(temporary, "wx");
    try {
      await writeBody(fd, body, o.size, o.signal);
      return await fstat(fd);
    } finally {
      await close(fd);
    }
  }

  async #publish(temporary: string, path: string, key: ObjectKey, o: PutOptions): Promise<void> {
    try {
      await this.#name(temporary, path, key, o);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      // Someone removed the folder since it was made; once more, and then it is an error.
      this.#folders.forget();
      await this.#folders.make(dirname(path));
      await this.#name(temporary, path, key, o);
    }
    await this.#folders.sync(dirname(path));
  }

  async #name(temporary: string, path: string, key: ObjectKey, o: PutOptions): Promise<void> {
    if (o.ifMatch !== undefined) await this.#replace(temporary, path, key, o.ifMatch);
    else if (o.ifAbsent === true) await this.#create(temporary, path, key);
    else await this.#overwrite(temporary, path, key);
  }

  /** A hard link fails when the name is taken, which a rename does not. */
  async #create(temporary: string, path: string, key: ObjectKey): Promise<void> {
    try {
      await link(temporary, path);
    } catch (error) {
      if (isErrno(error, "EEXIST")) {
        if ((await this.#stats(path, key)) === undefined) throw isFolder(key, error);
        await this.#folders.sync(dirname(path));
        throw alreadyThere(key);
      }
      if (!isErrno(error, ...NO_LINKS)) throw error;
      // Among Holdall's own processes the lock decides instead.
      await this.#exclusively(async () => {
        if ((await this.#stats(path, key)) !== undefined) throw alreadyThere(key);
        await rename(temporary, path);
      });
    }
  }

  async #replace(temporary: string, path: string, key: ObjectKey, etag: string): Promise<void> {
    await this.#exclusively(async () => {
      const old = await this.#mustMatch(path, key, etag);
      // Clocks of file systems tick in milliseconds, inode numbers come back: the new version is made later than the
      // old one, so that no etag in a chain of replacements ever returns.
      const now = Date.now();
      await utimes(temporary, now / 1000, Math.max(now, Math.floor(old.mtimeMs) + 1) / 1000);
      await rename(temporary, path);
    });
  }

  async #overwrite(temporary: string, path: string, key: ObjectKey): Promise<void> {
    try {
      await rename(temporary, path);
    } catch (error) {
      throw isErrno(error, "EISDIR", "ENOTEMPTY", "EEXIST") ? isFolder(key, error) : error;
    }
  }

  async #mustMatch(path: string, key: ObjectKey, etag: string | undefined): Promise<Stats> {
    const stats = await this.#stats(path, key);
    if (stats === undefined || new FileStat(key, stats).etag !== etag) {
      throw new StorageError("conflict", `${key} is not the version that was to be replaced: read it again`);
    }
    return stats;
  }

  /** Runs one compare-and-swap at a time: a promise orders this store object's own, a lock those of all processes. */
  async #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#exclusive.then(async () => {
      const folder = join(this.#root, PRIVATE_FOLDER);
      await mkdir(folder, { recursive: true });
      using _lock = await ProcessLock.acquire(join(folder, "swap.lock"));
      return await action();
    });
    this.#exclusive = run.catch(() => undefined);
    return await run;
  }

  async #unlink(path: string): Promise<void> {
    try {
      await unlink(path);
    } catch (error) {
      // macOS says EPERM, Linux EISDIR, for a folder, which is no object.
      if (isErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) return;
      throw error;
    }
    await this.#folders.sync(dirname(path));
  }
}

function alreadyThere(key: ObjectKey): StorageError {
  return new StorageError("conflict", `${key} already exists`);
}

function isFolder(key: ObjectKey, cause: unknown): StorageError {
  return new StorageError("invalid", `${key} is the beginning of other keys, which a folder cannot hold beside it`, {
    cause,
  });
}

function keyOrUndefined(name: string): ObjectKey | undefined {
  try {
    return parseKey(name);
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** The etag and the date cost more than the rest of a small read, so they are made when asked for. */
class FileStat implements ObjectStat {
  readonly key: ObjectKey;
  readonly size: number;
  readonly #stats: Stats;

  constructor(key: ObjectKey, stats: Stats) {
    this.key = key;
    this.size = stats.size;
    this.#stats = stats;
  }

  /** The inode changes with every replacement and the time with almost every one; together they name a version. */
  get etag(): string {
    return `${this.#stats.ino.toString(36)}-${this.size.toString(36)}-${Math.round(this.#stats.mtimeMs * 1000).toString(36)}`;
  }

  get modifiedAt(): Date {
    return this.#stats.mtime;
  }
}

class OpenFile extends FileStat implements StoredObject {
  readonly range: { readonly start: number; readonly length: number };
  readonly body: AsyncIterable<Uint8Array>;

  constructor(key: ObjectKey, stats: Stats, range: StoredObject["range"], body: AsyncIterable<Uint8Array>) {
    super(key, stats);
    this.range = range;
    this.body = body;
  }
}
