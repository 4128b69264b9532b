import { DeleteObjectCommand, GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { Readable } from "node:stream";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import type {
  ByteRange,
  CallOptions,
  Capabilities,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  MultipartUploads,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PresignOptions,
  PutOptions,
  SignedRequest,
  StoredObject,
} from "../port.ts";
import { ObjectBody } from "./body.ts";
import { Bucket, etagOf, MARK, present, wholeSeconds } from "./bucket.ts";
import type { S3Connection } from "./client.ts";
import { Copier } from "./copier.ts";
import { deleteVersion } from "./deletion.ts";
import { keepingHeaders, keepingOf } from "./keeping.ts";
import { listObjects, listUploads } from "./listing.ts";
import { S3Multipart } from "./multipart.ts";
import { Presigner } from "./presigner.ts";
import { LIMITS, Uploads } from "./uploads.ts";
import { Writer } from "./writer.ts";

const DAY = 24 * 3600 * 1000;

/** Objects in a bucket of S3, or of a store that speaks S3. */
export class S3Store implements ObjectStore {
  readonly capabilities: Capabilities;
  readonly multipart: MultipartUploads;
  readonly #connection: S3Connection;
  readonly #bucket: Bucket;
  readonly #uploads: Uploads;
  readonly #writer: Writer;
  readonly #copier: Copier;
  readonly #presigner: Presigner;

  constructor(connection: S3Connection) {
    const keeping = keepingOf(connection.location);
    this.#connection = connection;
    this.#bucket = new Bucket(connection);
    this.#uploads = new Uploads(this.#bucket, keeping);
    this.#writer = new Writer(this.#bucket, this.#uploads, keeping);
    this.#copier = new Copier(this.#bucket, this.#uploads, this.#writer, keeping);
    this.#presigner = new Presigner(connection);
    this.multipart = new S3Multipart(this.#bucket, this.#uploads, this.#presigner);
    this.capabilities = {
      putIfAbsent: this.#bucket.conditional,
      compareAndSwap: this.#bucket.conditional,
      deleteIfMatch: this.#bucket.conditional,
      checkSha256: false,
      copy: true,
      presignGet: true,
      presignPut: true,
      presignSha256: connection.location.sha256 !== false,
      multipart: true,
      presignPart: true,
    };
  }

  async stat(key: ObjectKey, o: CallOptions = {}): Promise<ObjectStat | undefined> {
    const found = await this.#bucket.head(key, o.signal);
    if (found === undefined) return undefined;
    const { size, etag, modifiedAt, mark } = found;
    return { key, size, etag, modifiedAt, ...(mark === undefined ? {} : { mark }) };
  }

  async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    const range = o.range === undefined ? {} : { Range: rangeHeader(key, o.range) };
    const command = new GetObjectCommand({ ...this.#bucket.target(key), ...range });
    const doing = { what: `reading ${key}`, needs: "s3:GetObject", seeks: true };
    const found = await this.#bucket.ask(doing, o.signal, (client, o) => client.send(command, o));
    if (!(found.Body instanceof Readable)) throw new TypeError("the SDK answered without a stream");
    try {
      const { size, ...range } = delivered(key, found, o.range);
      return {
        key,
        size,
        etag: etagOf(found.ETag, key),
        modifiedAt: wholeSeconds(present(found.LastModified, "Last-Modified", key)),
        range,
        body: new ObjectBody(key, found.Body, range.length, o.signal),
      };
    } catch (error) {
      found.Body.destroy();
      throw error;
    }
  }

  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const intake = new Intake(body, o);
    try {
      if (o.sha256 !== undefined) {
        throw new StorageError("unsupported", "S3 does not check the digest of large objects: use the verify layer");
      }
      if (o.ifAbsent === true || o.ifMatch !== undefined) this.#bucket.requireConditions();
      return await this.#writer.put(key, intake, o);
    } finally {
      await intake.return();
    }
  }

  async delete(key: ObjectKey, { ifMatch, signal }: DeleteOptions = {}): Promise<void> {
    if (ifMatch !== undefined) {
      this.#bucket.requireConditions();
      return await deleteVersion(this.#bucket, key, ifMatch, signal);
    }
    const doing = { what: `deleting ${key}`, needs: "s3:DeleteObject", writes: true };
    const command = new DeleteObjectCommand(this.#bucket.target(key));
    try {
      await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
    } catch (error) {
      // Some stores say so when there is nothing to delete.
      if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
    }
  }

  list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    return listObjects(this.#bucket, prefix, o);
  }

  async copy(from: ObjectKey, to: ObjectKey, o: CopyOptions = {}): Promise<ObjectVersion> {
    if (o.ifAbsent === true) this.#bucket.requireConditions();
    return await this.#copier.copy(from, to, o);
  }

  async presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    o.signal?.throwIfAborted();
    const { method, expiresIn } = o;
    const name = this.#bucket.nameOf(key);
    if (o.method === "GET") {
      const query = o.disposition === undefined ? {} : { "response-content-disposition": o.disposition };
      return await this.#presigner.sign({ method, name, query, expiresIn });
    }
    if (!(o.size >= 0 && o.size <= LIMITS.maxPartSize)) {
      throw new StorageError("invalid", `one PUT carries 0 to ${LIMITS.maxPartSize} bytes, not ${o.size}`);
    }
    if (o.sha256 !== undefined && !this.capabilities.presignSha256) {
      throw new StorageError("unsupported", "the store does not check the SHA-256 of a presigned PUT (sha256=false)");
    }
    const headers = {
      "Content-Type": "application/octet-stream",
      ...(o.sha256 === undefined ? {} : { "x-amz-checksum-sha256": Buffer.from(o.sha256, "hex").toString("base64") }),
      ...(o.mark === undefined ? {} : { [`x-amz-meta-${MARK}`]: o.mark }),
      ...keepingHeaders(this.#connection.location),
    };
    return await this.#presigner.sign({ method, name, headers, expiresIn });
  }

  /** Gives up uploads in parts to which nothing has been added for a day. */
  async sweep(): Promise<number> {
    let removed = 0;
    for await (const { name, id, begunAt } of listUploads(this.#bucket)) {
      const key = this.#bucket.keyOf(name);
      if (key === undefined || Date.now() - begunAt.getTime() < DAY) continue;
      if (await this.#uploads.hasPartSince({ key, id }, Date.now() - DAY)) continue;
      await this.#uploads.giveUp({ key, id }, undefined);
      removed += 1;
    }
    return removed;
  }

  async close(): Promise<void> {
    this.#connection.patient.destroy();
    this.#connection.once.destroy();
  }
}

/** @throws StorageError `invalid` for what is no range, which S3 would overlook */
function rangeHeader(key: ObjectKey, { start, end }: ByteRange): string {
  const last = end ?? start;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(last) || start < 0 || last < start) {
    throw new StorageError("invalid", `bytes ${start}-${end ?? ""} of ${key} are not a range`);
  }
  return `bytes=${start}-${end ?? ""}`;
}

/** What the answer says that its body will be. */
function delivered(
  key: ObjectKey,
  { ContentLength, ContentRange }: GetObjectCommandOutput,
  asked: ByteRange | undefined,
): { size: number; start: number; length: number } {
  const length = present(ContentLength, "Content-Length", key);
  if (asked === undefined) return { size: length, start: 0, length };
  const [, first, last, all] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange ?? "") ?? [];
  const [start, end, size] = [Number(first), Number(last), Number(all)];
  const expected = Math.min(asked.end ?? size - 1, size - 1);
  if (start !== asked.start || end !== expected || length !== end - start + 1) {
    const range = `bytes ${asked.start}-${asked.end ?? ""}`;
    const message = `asked for ${range} of ${key}, the store answered ${ContentRange ?? "with all of it"}`;
    throw new StorageError("unavailable", message, { retryable: false });
  }
  return { size, start, length };
}
