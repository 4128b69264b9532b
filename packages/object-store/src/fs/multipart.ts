import { createHash, randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  MultipartLimits,
  MultipartUploads,
  ObjectVersion,
  PutOptions,
  UploadedPart,
} from "../port.ts";
import { lstat, open } from "./calls.ts";
import { fsError, isErrno } from "./errors.ts";
import { etagOf } from "./file-stat.ts";
import type { Folders } from "./folders.ts";
import { ProcessLock } from "./process-lock.ts";
import { FileBody } from "./read-body.ts";
import { removeTemporary, type Temporaries } from "./temporaries.ts";
import { writeAndClose } from "./write-body.ts";

const PART = /^[1-9]\d{0,4}$/;
/** Beside the parts: held by whoever completes the upload. */
const LOCK = "lock";
const ABANDONED_AFTER = 24 * 3600 * 1000;

interface Parts {
  readonly folder: string;
  readonly temporaries: Temporaries;
  readonly folders: Folders;
  /** Of the store that the uploads are for. */
  readonly put: (key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions) => Promise<ObjectVersion>;
}

/**
 * Uploads as folders: `<folder>/<id>-<hash of the key>/<number>` is a part, synced and named in one step. Completing
 * writes the parts one after the other into a file of their own, as any put does, so that nothing has to be known about
 * their sizes beforehand.
 */
export class FsUploads implements MultipartUploads {
  readonly limits: MultipartLimits = { minPartSize: 1, maxPartSize: 5 * 1024 ** 4, maxParts: 10_000 };
  readonly #o: Parts;

  constructor(o: Parts) {
    this.#o = o;
  }

  async create(key: ObjectKey, o: CallOptions = {}): Promise<string> {
    o.signal?.throwIfAborted();
    const upload = randomBytes(16).toString("hex");
    try {
      const folder = this.#folderOf(key, upload);
      await this.#o.folders.make(folder);
      await this.#o.folders.sync(folder);
    } catch (error) {
      throw fsError(error, `beginning an upload of ${key}`);
    }
    return upload;
  }

  async putPart(
    key: ObjectKey,
    upload: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    o: CallOptions & { readonly size: number },
  ): Promise<UploadedPart> {
    const intake = new Intake(body, o);
    try {
      if (!PART.test(String(number)) || number > this.limits.maxParts) {
        throw new StorageError("invalid", `there is no part ${number}: parts have numbers from 1 to 10000`);
      }
      const folder = this.#folderOf(key, upload);
      // Before the body is read: the folder may have been swept.
      await lstat(folder);
      const { path: temporary, fd } = await this.#o.temporaries.create();
      try {
        const stats = await writeAndClose(fd, intake, { stamp: true });
        o.signal?.throwIfAborted();
        await rename(temporary, join(folder, String(number)));
        await this.#o.folders.sync(folder);
        return partOf(number, stats);
      } finally {
        await removeTemporary(temporary);
      }
    } catch (error) {
      if (isErrno(error, "ENOENT")) throw gone(key, error);
      throw intake.threw(error) ? error : fsError(error, `storing part ${number} of ${key}`);
    } finally {
      await intake.return();
    }
  }

  async presignPart(): Promise<never> {
    throw new StorageError("unsupported", "a folder answers no requests: have the bytes go through a server");
  }

  async *parts(key: ObjectKey, upload: string, o: CallOptions = {}): AsyncIterable<UploadedPart> {
    o.signal?.throwIfAborted();
    const folder = this.#folderOf(key, upload);
    try {
      const numbers = (await readdir(folder)).filter((name) => PART.test(name)).map(Number);
      for (const number of numbers.sort((a, b) => a - b)) {
        o.signal?.throwIfAborted();
        yield partOf(number, await lstat(join(folder, String(number))));
      }
    } catch (error) {
      if (isErrno(error, "ENOENT")) throw gone(key, error);
      throw fsError(error, `listing the parts of ${key}`);
    }
  }

  async complete(
    key: ObjectKey,
    upload: string,
    parts: readonly UploadedPart[],
    o: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectVersion> {
    o.signal?.throwIfAborted();
    const folder = this.#folderOf(key, upload);
    // Whoever came second would publish the object again, perhaps after it was taken from there.
    using _lock = await lockIn(folder, key, o.signal);
    const there = new Map<number, UploadedPart>();
    for await (const part of this.parts(key, upload, o)) there.set(part.number, part);
    let last = 0;
    for (const { number, size, etag } of parts) {
      const part = there.get(number);
      if (number <= last || part?.etag !== etag || part.size !== size) {
        throw new StorageError("invalid", `part ${number} of ${key} is missing, has changed, or is not in its place`);
      }
      last = number;
    }
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    const version = await this.#o.put(key, joined(folder, parts, o), { ...o, size, handOver: true });
    await this.abort(key, upload);
    return version;
  }

  async abort(key: ObjectKey, upload: string, o: CallOptions = {}): Promise<void> {
    o.signal?.throwIfAborted();
    const folder = this.#folderOf(key, upload);
    // In one step: nobody may find half of it.
    const ended = `${folder}.ended`;
    try {
      await rename(folder, ended);
      await rm(ended, { recursive: true, force: true });
      this.#o.folders.forget();
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw fsError(error, `giving up an upload of ${key}`);
    }
  }

  /** Removes the uploads that nobody has added to for a day. @returns how many */
  async sweep(): Promise<number> {
    let removed = 0;
    for (const name of await listFolder(this.#o.folder)) {
      const folder = join(this.#o.folder, name);
      try {
        // Every part that is added changes the folder.
        const { mtimeMs } = await lstat(folder);
        if (Date.now() - mtimeMs < ABANDONED_AFTER) continue;
      } catch (error) {
        if (isErrno(error, "ENOENT")) continue;
        throw error;
      }
      await rm(folder, { recursive: true, force: true });
      removed += 1;
    }
    return removed;
  }

  /** @throws StorageError `not-found` for what is no name of an upload */
  #folderOf(key: ObjectKey, upload: string): string {
    if (!/^[0-9a-f]{32}$/.test(upload)) throw gone(key);
    return join(this.#o.folder, `${upload}-${createHash("sha256").update(key).digest("hex").slice(0, 16)}`);
  }
}

/** @throws StorageError `not-found` when the upload ends before it is our turn */
async function lockIn(folder: string, key: ObjectKey, signal: AbortSignal | undefined): Promise<ProcessLock> {
  try {
    await lstat(folder);
    return await ProcessLock.acquire(join(folder, LOCK), signal);
  } catch (error) {
    const cause = error instanceof StorageError ? error.cause : error;
    if (isErrno(cause, "ENOENT")) throw gone(key, error);
    throw error;
  }
}

/** The bytes of these parts, one after the other. */
async function* joined(folder: string, parts: readonly UploadedPart[], o: CallOptions): AsyncGenerator<Uint8Array> {
  for (const { number, size, etag } of parts) {
    const path = join(folder, String(number));
    const fd = await open(path, constants.O_RDONLY);
    const body = new FileBody(fd, path, { start: 0, length: size }, o);
    try {
      if (etagOf(await lstat(path)) !== etag) {
        throw new StorageError("invalid", `part ${number} has changed while the upload was completed`);
      }
      yield* body;
    } finally {
      await body.return();
    }
  }
}

function partOf(number: number, stats: Stats): UploadedPart {
  return { number, size: stats.size, etag: etagOf(stats) };
}

function gone(key: ObjectKey, cause?: unknown): StorageError {
  return new StorageError("not-found", `there is no such upload of ${key}: it was completed, given up, or swept`, {
    cause,
  });
}

async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
