import { CopyObjectCommand } from "@aws-sdk/client-s3";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { CallOptions, CopyOptions, ObjectVersion, UploadedPart } from "../port.ts";
import { type Bucket, etagOf, type Head, quoted } from "./bucket.ts";
import type { Keeping } from "./keeping.ts";
import { LIMITS, type Uploads } from "./uploads.ts";
import type { Writer } from "./writer.ts";

/**
 * What one request copies, in bytes. S3 would take 5 GiB, but a store on ordinary disks has to be done within the time
 * for which a connection may stand still; and parts are copied side by side.
 */
const PIECE = 1024 ** 3;
const SIDE_BY_SIDE = 4;
/** How often a source is tried that is replaced each time. */
const ATTEMPTS = 3;

/** Copies objects within the store. */
export class Copier {
  readonly #bucket: Bucket;
  readonly #uploads: Uploads;
  readonly #writer: Writer;
  readonly #keeping: Keeping;
  readonly #piece: number;

  /** @param piece bytes that one request copies, at least 5 MiB */
  constructor(bucket: Bucket, uploads: Uploads, writer: Writer, keeping: Keeping, piece: number = PIECE) {
    this.#bucket = bucket;
    this.#uploads = uploads;
    this.#writer = writer;
    this.#keeping = keeping;
    this.#piece = piece;
  }

  async copy(from: ObjectKey, to: ObjectKey, o: CopyOptions): Promise<ObjectVersion> {
    for (let attempt = 1; ; attempt += 1) {
      const source = await this.#bucket.head(from, o.signal);
      if (source === undefined) throw new StorageError("not-found", `there is no object ${from}`);
      try {
        if (o.fromEtag !== undefined && o.fromEtag !== source.etag) throw new SourceChanged();
        return await this.#copyVersion(from, source, to, o);
      } catch (error) {
        if (!(error instanceof SourceChanged)) throw error;
        if (o.fromEtag !== undefined) {
          throw new StorageError("conflict", `${from} is not the version that was to be copied: read it again`);
        }
        if (attempt === ATTEMPTS) {
          throw new StorageError("unavailable", `${from} was replaced each time that it was to be copied`);
        }
      }
    }
  }

  /**
   * `ifAbsent` is decided when an upload is completed, or by a PUT. CopyObject has `If-None-Match` too, but hardly any
   * store beside Amazon's heeds it, and those that do not replace the object without a word.
   */
  async #copyVersion(from: ObjectKey, source: Head, to: ObjectKey, o: CopyOptions): Promise<ObjectVersion> {
    if (o.ifAbsent !== true && source.size <= this.#piece) return await this.#copyObject(from, source, to, o);
    if (source.size > 0) return await this.#copyParts(from, source, to, o);
    const { contentType } = source;
    const signal = o.signal === undefined ? {} : { signal: o.signal };
    const type = contentType === undefined ? {} : { contentType };
    return await this.#writer.putWhole(to, new Uint8Array(0), { ifAbsent: true, ...type, ...signal });
  }

  async #copyObject(from: ObjectKey, source: Head, to: ObjectKey, { signal }: CallOptions): Promise<ObjectVersion> {
    const { size, etag, contentType } = source;
    const command = new CopyObjectCommand({
      ...this.#bucket.target(to),
      ...this.#keeping,
      // What the metadata tells of the source is not true of the copy.
      MetadataDirective: "REPLACE",
      ...(contentType === undefined ? {} : { ContentType: contentType }),
      CopySource: this.#bucket.source(from),
      CopySourceIfMatch: quoted(etag),
    });
    const doing = { what: `copying ${from} to ${to}`, needs: "s3:GetObject and s3:PutObject", writes: true };
    const answer = this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
    const { CopyObjectResult } = await answer.catch(sourceChanged);
    return { key: to, size, etag: etagOf(CopyObjectResult?.ETag, to) };
  }

  async #copyParts(from: ObjectKey, source: Head, to: ObjectKey, o: CopyOptions): Promise<ObjectVersion> {
    const { size, etag } = source;
    const piece = Math.max(this.#piece, Math.ceil(size / LIMITS.maxParts));
    const count = Math.ceil(size / piece);
    const upload = await this.#uploads.begin(to, { contentType: source.contentType }, o.signal);
    return await this.#uploads.during(upload, async () => {
      const parts = await sideBySide(count, o.signal, async (index, signal): Promise<UploadedPart> => {
        const start = index * piece;
        const end = Math.min(start + piece, size) - 1;
        const part = {
          from: this.#bucket.source(from),
          etag,
          size: end - start + 1,
          // S3 refuses ranges of what is smaller than a part may be.
          ...(count === 1 ? {} : { range: `bytes=${start}-${end}` }),
        };
        return await this.#uploads.copyPart(upload, index + 1, part, signal).catch(sourceChanged);
      });
      return await this.#uploads.finish(upload, parts, o);
    });
  }
}

/** The source was replaced, or deleted, since it was looked at. */
class SourceChanged extends Error {}

function sourceChanged(error: unknown): never {
  if (!(error instanceof StorageError)) throw error;
  throw error.code === "conflict" || error.code === "not-found" ? new SourceChanged() : error;
}

/** Does so many things, some at once; the first failure ends the others, and is thrown when they have ended. */
async function sideBySide<T>(
  count: number,
  signal: AbortSignal | undefined,
  work: (index: number, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const indexes = Array.from({ length: count }, (_, index) => index).values();
  const results: T[] = [];
  const worker = async (): Promise<void> => {
    for (const index of indexes) results[index] = await work(index, either);
  };
  const workers = Array.from({ length: Math.min(SIDE_BY_SIDE, count) }, async () => {
    try {
      await worker();
    } catch (error) {
      stop.abort(error);
    }
  });
  await Promise.all(workers);
  either.throwIfAborted();
  return results;
}
