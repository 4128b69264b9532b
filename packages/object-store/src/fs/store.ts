import { constants, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import { isKey, type ObjectKey } from "../key.ts";
import type {
  CallOptions,
  Capabilities,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PutOptions,
  StoredObject,
} from "../port.ts";
import { resolveRange } from "../range.ts";
import { ahead } from "./ahead.ts";
import { closeSync, fstatSync, open, openSync } from "./calls.ts";
import { anotherVersion, copyByLink } from "./copy-by-link.ts";
import { fsError, isErrno } from "./errors.ts";
import { FileStat, OpenFile } from "./file-stat.ts";
import { Folders } from "./folders.ts";
import { FsUploads } from "./multipart.ts";
import { alreadyThere, Names, statFile } from "./names.ts";
import { FileBody, PieceBody, pieceOf, READ_SIZE, readPiece, readPieceSync } from "./read-body.ts";
import { QUICK_READ, ReadPace } from "./read-pace.ts";
import { OpenFiles, type OpenFile as KeptFile } from "./open-files.ts";
import { removeTemporary, Temporaries } from "./temporaries.ts";
import { walk } from "./walk.ts";
import { writeAndClose } from "./write-body.ts";

/** Holdall's own folder under the root; no key starts with it. */
const PRIVATE_FOLDER = ".holdall";
/** In whatever case: many file systems of macOS and Windows see no difference. */
const RESERVED = /^\.holdall(\/|$)/i;

/** How many files a listing looks at at once. Few enough to leave threads to those who read and write. */
const STATS_AT_ONCE = 8;

/** From this size on, in bytes, a body that is to be created is not written only to find that it exists already. */
const LOOK_FIRST = 256 * 1024;

/** Links are no objects to `stat` and `list`, so `get` does not follow them either. Windows lacks the flag. */
const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

/**
 * Objects as files below a folder, one for each key, at the path that the key spells. Put writes a private temporary
 * file in the same file system, syncs it, gives it its name in one step and syncs the folder, so whatever has a name is
 * whole and stays. Other programs may read the folder; they must not write to it.
 */
export class FsStore implements ObjectStore {
  readonly capabilities: Capabilities = {
    putIfAbsent: true,
    compareAndSwap: true,
    deleteIfMatch: true,
    checkSha256: false,
    copy: true,
    presignGet: false,
    presignPut: false,
    presignSha256: false,
    multipart: true,
    presignPart: false,
  };
  readonly multipart: FsUploads;
  readonly #root: string;
  readonly #temporaries: Temporaries;
  readonly #folders: Folders;
  readonly #names: Names;
  readonly #readPace = new ReadPace();
  readonly #openFiles = new OpenFiles();

  /** @param root made at the first put if it does not exist */
  constructor(root: string) {
    this.#root = resolve(root);
    const own = join(this.#root, PRIVATE_FOLDER);
    this.#folders = new Folders(this.#root);
    this.#temporaries = new Temporaries(join(own, "tmp"), join(own, "sweep.lock"), this.#folders);
    this.#names = new Names(own, this.#folders);
    this.multipart = new FsUploads({
      folder: join(own, "uploads"),
      temporaries: this.#temporaries,
      folders: this.#folders,
      put: (key, body, o) => this.put(key, body, o),
    });
  }

  async stat(key: ObjectKey, o: CallOptions = {}): Promise<ObjectStat | undefined> {
    o.signal?.throwIfAborted();
    const path = this.#path(key);
    try {
      const stats = await statFile(path);
      return stats === undefined ? undefined : new FileStat(key, stats);
    } catch (error) {
      throw fsError(error, `looking at ${key}`);
    }
  }

  async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    o.signal?.throwIfAborted();
    const path = this.#path(key);
    const here = this.#readPace.here();
    try {
      const kept = o.immutable === true ? this.#openFiles.find(path) : undefined;
      if (kept !== undefined) return await this.#readKept(key, kept, here, o);
      const fd = here ? this.#readPace.run(() => openSync(path, READ_ONLY)) : await open(path, READ_ONLY);
      return await this.#read(key, fd, here, o);
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) {
        throw new StorageError("not-found", `there is no object ${key}`, { cause: error });
      }
      throw fsError(error, `reading ${key}`);
    }
  }

  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const intake = new Intake(body, o);
    try {
      if (o.sha256 !== undefined) {
        throw new StorageError("unsupported", "a folder does not check digests: wrap the store in the verify layer");
      }
      const path = this.#path(key);
      if (o.ifAbsent === true && o.size >= LOOK_FIRST && (await statFile(path)) !== undefined) {
        return await this.#refuse(key, path, intake);
      }
      return new FileStat(key, await this.#store(key, path, intake, o));
    } catch (error) {
      throw intake.threw(error) ? error : fsError(error, `storing ${key}`);
    } finally {
      await intake.return();
    }
  }

  async delete(key: ObjectKey, o: DeleteOptions = {}): Promise<void> {
    o.signal?.throwIfAborted();
    const path = this.#path(key);
    try {
      await this.#names.take(key, path, o);
      this.#openFiles.forget(path);
    } catch (error) {
      throw fsError(error, `deleting ${key}`);
    }
  }

  /**
   * To create, by a second name for the same file, which nobody ever changes. To replace, and where there are no hard links,
   * the bytes do come here, for want of a call that copies and syncs; the caller sees nothing of either.
   */
  async copy(from: ObjectKey, to: ObjectKey, o: CopyOptions = {}): Promise<ObjectVersion> {
    const { signal, fromEtag, ifAbsent } = o;
    signal?.throwIfAborted();
    if (ifAbsent === true) {
      const parts = { temporaries: this.#temporaries, names: this.#names };
      const paths = { source: this.#path(from), target: this.#path(to) };
      const stats = await copyByLink(parts, { from, to, ...paths }, o);
      if (stats !== undefined) return new FileStat(to, stats);
    }
    const { body, size, etag } = await this.get(from, signal === undefined ? {} : { signal });
    if (fromEtag !== undefined && etag !== fromEtag) {
      await body[Symbol.asyncIterator]().return?.();
      throw anotherVersion(from);
    }
    return await this.put(to, body, {
      size,
      ...(ifAbsent === undefined ? {} : { ifAbsent }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async presign(): Promise<never> {
    throw new StorageError("unsupported", "a folder answers no requests: have the bytes go through a server");
  }

  async *list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    try {
      const names = walk(this.#root, prefix, o.after ?? "", PRIVATE_FOLDER);
      for await (const stat of ahead(names, STATS_AT_ONCE, (name) => this.#listed(name))) {
        o.signal?.throwIfAborted();
        if (stat !== undefined) yield stat;
      }
    } catch (error) {
      throw fsError(error, `listing ${prefix === "" ? "the store" : prefix}`);
    }
  }

  async #listed(name: string): Promise<ObjectStat | undefined> {
    // A name that no key spells was not put there by us.
    if (!isKey(name) || RESERVED.test(name)) return undefined;
    const stats = await statFile(this.#path(name));
    return stats === undefined ? undefined : new FileStat(name, stats);
  }

  async sweep(): Promise<number> {
    try {
      return (await this.#temporaries.sweep()) + (await this.multipart.sweep());
    } catch (error) {
      throw fsError(error, "removing orphaned temporary files");
    }
  }

  async close(): Promise<void> {
    this.#openFiles.close();
    await this.#temporaries.close();
  }

  #path(key: ObjectKey): string {
    if (RESERVED.test(key)) throw new StorageError("invalid", `keys below ${PRIVATE_FOLDER}/ are reserved in a folder`);
    // A key has nothing for `join` to normalize.
    return `${this.#root}/${key}`;
  }

  /** Takes over the descriptor. */
  async #read(key: ObjectKey, fd: number, here: boolean, o: GetOptions): Promise<StoredObject> {
    let mine = true;
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new StorageError("not-found", `there is no object ${key}`);
      const range = resolveRange(key, stats.size, o.range);
      if (range.length > READ_SIZE) {
        mine = false;
        return new OpenFile(key, stats, range, new FileBody(fd, key, range, o));
      }
      if (o.immutable === true && stats.size <= QUICK_READ) {
        mine = false;
        return await this.#readKept(key, this.#openFiles.keep(this.#path(key), fd, stats), here, o);
      }
      return new OpenFile(key, stats, range, await this.#readWhole(key, fd, range, here, o));
    } finally {
      if (mine) closeSync(fd);
    }
  }

  async #readKept(key: ObjectKey, file: KeptFile, here: boolean, o: GetOptions): Promise<StoredObject> {
    const { fd, stats, release } = file;
    try {
      const range = resolveRange(key, stats.size, o.range);
      const bytes = here && o.borrow === true ? this.#keptBytes(key, file) : undefined;
      const body =
        bytes === undefined ? await this.#readWhole(key, fd, range, here, o) : new PieceBody(pieceOf(bytes, range));
      return new OpenFile(key, stats, range, body);
    } finally {
      release();
    }
  }

  #keptBytes(key: ObjectKey, { fd, stats: { size }, bytes, wanted, keepBytes }: KeptFile): Uint8Array | undefined {
    if (bytes !== undefined || !wanted) return bytes;
    const { bytes: read } = this.#readPace.run(() => readPieceSync(fd, key, { start: 0, length: size }, false));
    keepBytes(read);
    return read;
  }

  #readWhole(
    key: ObjectKey,
    fd: number,
    range: StoredObject["range"],
    here: boolean,
    o: GetOptions,
  ): PieceBody | Promise<PieceBody> {
    const lent = o.borrow === true;
    return here && range.length <= QUICK_READ
      ? new PieceBody(this.#readPace.run(() => readPieceSync(fd, key, range, lent)))
      : readPiece(fd, key, range, lent).then((piece) => new PieceBody(piece));
  }

  /** The answer to a create when the object exists: the body has its say, and what exists is made sure of. */
  async #refuse(key: ObjectKey, path: string, intake: Intake): Promise<never> {
    await intake.drain();
    await this.#folders.sync(dirname(path));
    throw alreadyThere(key);
  }

  async #store(key: ObjectKey, path: string, intake: Intake, o: PutOptions): Promise<Stats> {
    const { path: temporary, fd } = await this.#temporaries.create();
    try {
      // What did not exist before has no version that it could be taken for.
      const stats = await writeAndClose(fd, intake, { stamp: o.ifAbsent !== true, handOver: o.handOver });
      const given = await this.#names.give(key, path, { path: temporary, stats }, o);
      this.#openFiles.forget(path);
      return given;
    } finally {
      await removeTemporary(temporary);
    }
  }
}
