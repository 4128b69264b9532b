import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { CallOptions, MultipartLimits, ObjectVersion, UploadedPart } from "../port.ts";
import { type Bucket, etagOf, present, PUT_ID, quoted } from "./bucket.ts";
import { described, type Description } from "./description.ts";
import type { Doing } from "./errors.ts";
import type { Keeping } from "./keeping.ts";
import { publish } from "./publish.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const LIMITS: MultipartLimits = { minPartSize: 5 * MiB, maxPartSize: 5 * GiB, maxParts: 10_000 };

/** How long a failed upload may take to be given up, in milliseconds; what is left then is swept some day. */
const GIVING_UP = 15_000;

/** An upload in parts. */
export interface Upload {
  readonly key: ObjectKey;
  /** The store's name for it. */
  readonly id: string;
  /** What the object will carry as {@link PUT_ID}. */
  readonly putId: string;
}

/** All or a range of another object. */
export interface PartSource {
  /** `bucket/key`, percent-encoded. */
  readonly from: string;
  readonly etag: string;
  readonly size: number;
  /** `bytes=first-last`; without it the whole object. */
  readonly range?: string;
}

export interface FinishOptions extends CallOptions {
  readonly ifAbsent?: boolean | undefined;
  readonly ifMatch?: string | undefined;
  /** Others may be finishing it too, or have done so. */
  readonly repeated?: boolean;
}

/** The requests that uploads in parts consist of. */
export class Uploads {
  readonly #bucket: Bucket;
  readonly #keeping: Keeping;

  constructor(bucket: Bucket, keeping: Keeping) {
    this.#bucket = bucket;
    this.#keeping = keeping;
  }

  async begin(key: ObjectKey, description: Description, signal: AbortSignal | undefined): Promise<Upload> {
    const putId = randomUUID();
    const command = new CreateMultipartUploadCommand({
      ...this.#bucket.target(key),
      ...this.#keeping,
      ...described(description, { [PUT_ID]: putId }),
    });
    const doing = storing(`beginning an upload of ${key}`);
    const { UploadId } = await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
    return { key, id: present(UploadId, "UploadId", key), putId };
  }

  /** Runs `work`, and gives the upload up if it fails. */
  async during<T>(upload: Upload, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // Also when the caller's signal was aborted, and never in place of the error that counts.
      await this.giveUp(upload, AbortSignal.timeout(GIVING_UP)).catch(() => undefined);
      if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
      const message = `the upload of ${upload.key} was given up by somebody else, such as a rule of the bucket`;
      throw new StorageError("unavailable", message, { cause: error });
    }
  }

  async sendPart(
    upload: Upload,
    number: number,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<UploadedPart> {
    const command = new UploadPartCommand({ ...this.#part(upload, number), Body: bytes, ContentLength: bytes.length });
    const doing = storing(`storing part ${number} of ${upload.key}`);
    const { ETag } = await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
    return { number, size: bytes.length, etag: etagOf(ETag, upload.key) };
  }

  /** For a part too large to be held: it goes as it comes, once only. */
  async streamPart(
    upload: Upload,
    number: number,
    body: AsyncIterable<Uint8Array>,
    { size, signal }: CallOptions & { readonly size: number },
  ): Promise<UploadedPart> {
    const stop = new AbortController();
    const stream = Readable.from(withLastHeldBack(body)).on("error", (error) => stop.abort(error));
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const command = new UploadPartCommand({ ...this.#part(upload, number), Body: stream, ContentLength: size });
    const doing = storing(`storing part ${number} of ${upload.key}`);
    try {
      const { ETag } = await this.#bucket.askOnce(doing, either, (client, o) => client.send(command, o));
      return { number, size, etag: etagOf(ETag, upload.key) };
    } finally {
      stream.destroy();
      // A store that refuses does not wait for the rest.
      stop.abort();
    }
  }

  /** Whether a part has come after that time (milliseconds since 1970). Ended meanwhile: none. */
  async hasPartSince(upload: Pick<Upload, "key" | "id">, time: number): Promise<boolean> {
    try {
      for await (const { modifiedAt } of this.parts(upload)) if (modifiedAt.getTime() > time) return true;
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
    }
    return false;
  }

  /** The parts that are there, by number. */
  async *parts(
    { key, id }: Pick<Upload, "key" | "id">,
    signal?: AbortSignal,
  ): AsyncGenerator<UploadedPart & { readonly modifiedAt: Date }> {
    const target = { ...this.#bucket.target(key), UploadId: id };
    const doing = { what: `listing the parts of ${key}`, needs: "s3:ListMultipartUploadParts" };
    let marker: string | undefined;
    do {
      const command = new ListPartsCommand({
        ...target,
        ...(marker === undefined ? {} : { PartNumberMarker: marker }),
      });
      const page = await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
      for (const { PartNumber, Size, ETag, LastModified } of page.Parts ?? []) {
        signal?.throwIfAborted();
        yield {
          number: present(PartNumber, "PartNumber", key),
          size: present(Size, "Size", key),
          etag: etagOf(ETag, key),
          modifiedAt: LastModified ?? new Date(0),
        };
      }
      marker = present(page.IsTruncated, "IsTruncated", "a listing") ? page.NextPartNumberMarker : undefined;
    } while (marker !== undefined);
  }

  async copyPart(
    upload: Upload,
    number: number,
    { from, etag, size, range }: PartSource,
    signal: AbortSignal | undefined,
  ): Promise<UploadedPart> {
    const command = new UploadPartCopyCommand({
      ...this.#part(upload, number),
      CopySource: from,
      CopySourceIfMatch: quoted(etag),
      ...(range === undefined ? {} : { CopySourceRange: range }),
    });
    const doing = { ...storing(`copying to ${upload.key}`), needs: "s3:GetObject and s3:PutObject" };
    const { CopyPartResult } = await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
    return { number, size, etag: etagOf(CopyPartResult?.ETag, upload.key) };
  }

  /** @throws StorageError `not-found` when the upload is not there, and is not known to have become the object of these parts */
  async finish(
    { key, id, putId }: Upload,
    parts: readonly UploadedPart[],
    { ifAbsent, ifMatch, repeated = false, signal }: FinishOptions,
  ): Promise<ObjectVersion> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#bucket.target(key),
      UploadId: id,
      MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: quoted(etag) })) },
      ...(ifAbsent === true ? { IfNoneMatch: "*" } : {}),
      ...(ifMatch === undefined ? {} : { IfMatch: quoted(ifMatch) }),
    });
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    const doing = storing(`completing the upload of ${key}`);
    const repeatable = repeated ? etagOfAll(parts) : undefined;
    return await publish(this.#bucket, { key, putId, ifAbsent, ifMatch, repeatable, signal }, async () => {
      const { ETag } = await this.#bucket.askOnce(doing, signal, (client, o) => client.send(command, o));
      return { key, size, etag: etagOf(ETag, key) };
    });
  }

  /** Giving up what is absent succeeds. */
  async giveUp({ key, id }: Pick<Upload, "key" | "id">, signal: AbortSignal | undefined): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#bucket.target(key), UploadId: id });
    const doing = { what: `giving up an upload of ${key}`, needs: "s3:AbortMultipartUpload" };
    try {
      await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
    }
  }

  #part({ key, id }: Upload, number: number): { Bucket: string; Key: string; UploadId: string; PartNumber: number } {
    return { ...this.#bucket.target(key), UploadId: id, PartNumber: number };
  }
}

/**
 * Of an object that was put together from these parts. Some stores, and S3 itself with SSE-KMS, make another one, and then it
 * cannot be told from which parts an object is. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
 */
function etagOfAll(parts: readonly UploadedPart[]): string {
  const hash = createHash("md5");
  for (const { etag } of parts) hash.update(etag, "hex");
  return `${hash.digest("hex")}-${parts.length}`;
}

function storing(what: string): Doing {
  return { what, needs: "s3:PutObject", writes: true };
}

/** The last bytes go only when the body has ended by itself: of one that fails, too few arrive to be stored. */
async function* withLastHeldBack(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}
