import { randomUUID } from "node:crypto";
import { StorageError } from "../errors.ts";
import type { Intake } from "../intake.ts";
import { PART_SIZE, readWhole, sendParts } from "../parts.ts";
import type { Description, GcsBucket, Preconditions } from "./bucket.ts";
import type { JsonApi, Signal } from "./json-api.ts";
import { MARK, publish } from "./publish.ts";
import type { GcsObject } from "./resource.ts";
import { retried } from "./retry.ts";
import { UploadSession } from "./session.ts";
import { MAX_OBJECT_SIZE } from "./signing.ts";

export interface Upload extends Preconditions {
  /** Bytes. */
  readonly size: number;
  readonly contentType?: string | undefined;
  /** As in `PutOptions`. */
  readonly handOver?: boolean | undefined;
  readonly signal: Signal;
}

type MarkedUpload = Upload & Description;

/** Stores a body: a small one in one request, a larger one in chunks, of which the last goes when the body has ended. */
export class Uploader {
  readonly #bucket: GcsBucket;
  readonly #api: JsonApi;
  readonly #storageClass: string | undefined;

  /** @param storageClass of what is stored; the bucket's default when undefined */
  constructor(bucket: GcsBucket, api: JsonApi, storageClass: string | undefined) {
    this.#bucket = bucket;
    this.#api = api;
    this.#storageClass = storageClass;
  }

  async store(name: string, intake: Intake, o: Upload): Promise<GcsObject> {
    if (o.size > MAX_OBJECT_SIZE) {
      throw new StorageError(
        "invalid",
        `${name} cannot be put with ${o.size} bytes: Cloud Storage takes ${MAX_OBJECT_SIZE}`,
      );
    }
    const mark = randomUUID();
    const marked = { ...o, storageClass: this.#storageClass, metadata: { [MARK]: mark } };
    return o.size <= PART_SIZE
      ? await this.#storeSmall(name, await readWhole(intake), mark, marked)
      : await this.#storeLarge(name, intake, mark, marked);
  }

  async #storeSmall(name: string, bytes: Uint8Array, mark: string, o: MarkedUpload): Promise<GcsObject> {
    const insert = (): Promise<GcsObject> => this.#bucket.insert(name, bytes, o, o.signal);
    return o.ifGenerationMatch === undefined
      ? await retried(insert, o.signal)
      : await publish(this.#bucket, { name, mark, signal: o.signal }, insert);
  }

  async #storeLarge(name: string, intake: Intake, mark: string, o: MarkedUpload): Promise<GcsObject> {
    const { size, signal } = o;
    const session = new UploadSession(this.#api, name, size, o);
    // Chunks are read ahead, but sent one after the other, as a session demands.
    let turn: Promise<unknown> = Promise.resolve();
    const send = async (chunk: Uint8Array, number: number, stop: AbortSignal): Promise<Uint8Array | undefined> => {
      const start = (number - 1) * PART_SIZE;
      // A copy, because the chunk itself is lent for this call only.
      if (start + chunk.length === size) return new Uint8Array(chunk);
      // The body may have ended long ago, and no longer hear of the signal.
      const either = signal === undefined ? stop : AbortSignal.any([signal, stop]);
      turn = turn.then(() => session.send(chunk, start, either));
      await turn;
      return undefined;
    };
    try {
      const chunks = await sendParts(unreturned(intake), PART_SIZE, send, { handOver: o.handOver });
      // The body has ended by itself: now its last chunk may follow.
      const last = chunks.at(-1) ?? new Uint8Array(0);
      const finish = (): Promise<GcsObject> => session.finish(last, size - last.length, signal);
      return await publish(this.#bucket, { name, mark, signal }, finish);
    } catch (error) {
      await session.cancel();
      const isLost = error instanceof StorageError && error.code === "conflict" && !intake.threw(error);
      if (isLost) await intake.drain();
      throw error;
    }
  }
}

/** The body for a reader that may give up before its end, while the rest is still wanted. */
function unreturned(intake: Intake): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => intake.next() }) };
}
