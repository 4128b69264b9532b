import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  MultipartLimits,
  MultipartUploads,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PresignOptions,
  PutOptions,
  SignedRequest,
  StoredObject,
  UploadedPart,
} from "../port.ts";
import { Layer } from "./layer.ts";

export interface RetryOptions {
  /** How often a call is made at most. */
  readonly attempts?: number;
  /** The longest wait before the second attempt, in milliseconds; it doubles with each attempt. */
  readonly firstDelay?: number;
  /** The longest wait before any attempt, in milliseconds. */
  readonly longestDelay?: number;
  /** From 0 to 1: which part of the longest wait is waited, so that many who failed together do not come back together. */
  readonly random?: () => number;
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** No attempt begins later than this after the first, in milliseconds: a store that is slow to fail is not asked three times. */
const PATIENCE = 30_000;

/**
 * Makes calls again that failed for a reason that may pass: where the error says `retryable`, and not `uncertain`, for
 * then the call may have done its work, and done twice is not done once. A body is never replayed: once its first chunk
 * was asked for, the failure is the caller's. Nor is one that was handed out continued.
 */
export class RetryLayer extends Layer {
  readonly #retry: Retry;
  readonly #multipart: MultipartUploads | undefined;

  constructor(inner: ObjectStore, o: RetryOptions = {}) {
    super(inner);
    this.#retry = new Retry(o);
    this.#multipart = inner.multipart === undefined ? undefined : new RetriedUploads(inner.multipart, this.#retry);
  }

  override get multipart(): MultipartUploads | undefined {
    return this.#multipart;
  }

  override stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#retry.call(() => this.inner.stat(key, o), o);
  }

  override get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    return this.#retry.call(() => this.inner.get(key, o), o);
  }

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return this.#retry.withBody(body, (untouched) => this.inner.put(key, untouched, o), o);
  }

  override delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    return this.#retry.call(() => this.inner.delete(key, o), o, { again: o?.ifMatch === undefined });
  }

  override async *list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    let after = o.after;
    let begun = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const stat of this.inner.list(prefix, after === undefined ? o : { ...o, after })) {
          yield stat;
          after = stat.key;
          attempt = 1;
          begun = Date.now();
        }
        return;
      } catch (error) {
        await this.#retry.pause(error, { attempt, begun }, o);
      }
    }
  }

  override copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion> {
    return this.#retry.call(() => this.inner.copy(from, to, o), o, { again: o?.ifAbsent !== true });
  }

  override presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    return this.#retry.call(() => this.inner.presign(key, o), o);
  }
}

class RetriedUploads implements MultipartUploads {
  readonly #inner: MultipartUploads;
  readonly #retry: Retry;

  constructor(inner: MultipartUploads, retry: Retry) {
    this.#inner = inner;
    this.#retry = retry;
  }

  get limits(): MultipartLimits {
    return this.#inner.limits;
  }

  /** An upload that was begun and whose name was lost on the way is swept. */
  create(key: ObjectKey, o?: Parameters<MultipartUploads["create"]>[1]): Promise<string> {
    return this.#retry.call(() => this.#inner.create(key, o), o);
  }

  putPart(
    key: ObjectKey,
    upload: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    o: Parameters<MultipartUploads["putPart"]>[4],
  ): Promise<UploadedPart> {
    return this.#retry.withBody(body, (untouched) => this.#inner.putPart(key, upload, number, untouched, o), o);
  }

  presignPart(
    key: ObjectKey,
    upload: string,
    number: number,
    o: Parameters<MultipartUploads["presignPart"]>[3],
  ): Promise<SignedRequest> {
    return this.#retry.call(() => this.#inner.presignPart(key, upload, number, o), o);
  }

  async *parts(key: ObjectKey, upload: string, o: CallOptions = {}): AsyncIterable<UploadedPart> {
    let last = 0;
    let begun = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const part of this.#inner.parts(key, upload, o)) {
          if (part.number <= last) continue;
          yield part;
          last = part.number;
          attempt = 1;
          begun = Date.now();
        }
        return;
      } catch (error) {
        await this.#retry.pause(error, { attempt, begun }, o);
      }
    }
  }

  complete(
    key: ObjectKey,
    upload: string,
    parts: readonly UploadedPart[],
    o?: Parameters<MultipartUploads["complete"]>[3],
  ): Promise<ObjectVersion> {
    return this.#retry.call(() => this.#inner.complete(key, upload, parts, o), o, { again: false });
  }

  abort(key: ObjectKey, upload: string, o?: CallOptions): Promise<void> {
    return this.#retry.call(() => this.#inner.abort(key, upload, o), o);
  }
}

class Retry {
  readonly #attempts: number;
  readonly #firstDelay: number;
  readonly #longestDelay: number;
  readonly #random: () => number;
  readonly #wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;

  constructor(o: RetryOptions) {
    this.#attempts = o.attempts ?? 3;
    this.#firstDelay = o.firstDelay ?? 200;
    this.#longestDelay = o.longestDelay ?? 5000;
    this.#random = o.random ?? Math.random;
    this.#wait = o.wait ?? sleep;
  }

  /** @param also.again false when doing it twice is not as good as once, so that an uncertain failure ends it */
  async call<T>(action: () => Promise<T>, o: CallOptions = {}, { again = true } = {}): Promise<T> {
    const begun = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await action();
      } catch (error) {
        await this.pause(error, { attempt, begun }, o, again);
      }
    }
  }

  /** As {@link call}, for as long as nothing of the body was asked for. */
  async withBody<T>(
    body: AsyncIterable<Uint8Array>,
    action: (body: AsyncIterable<Uint8Array>) => Promise<T>,
    o: CallOptions,
  ): Promise<T> {
    const source = new Untouched(body);
    try {
      return await this.call(
        async () => {
          try {
            return await action(source);
          } catch (error) {
            if (source.touched) throw new Touched(error);
            throw error;
          }
        },
        o,
        { again: false },
      );
    } catch (error) {
      throw error instanceof Touched ? error.error : error;
    } finally {
      await source.giveBack();
    }
  }

  /**
   * Waits before the next attempt.
   * @param begun when the first attempt did, in milliseconds since 1970
   * @throws the error when there is to be none
   */
  async pause(
    error: unknown,
    { attempt, begun }: { readonly attempt: number; readonly begun: number },
    { signal }: CallOptions,
    again = true,
  ): Promise<void> {
    const may = error instanceof StorageError && error.retryable && (again || !error.uncertain);
    if (!may || attempt >= this.#attempts || Date.now() - begun > PATIENCE) throw error;
    const longest = Math.min(this.#longestDelay, this.#firstDelay * 2 ** (attempt - 1));
    await this.#wait(longest * this.#random(), signal);
  }
}

/** Carries an error past the retries. */
class Touched extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super("the body has begun");
    this.error = error;
  }
}

/** A body that knows whether anything of it was asked for, and that is returned only when nobody will try again. */
class Untouched implements AsyncIterableIterator<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  touched = false;
  #over = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#source = body[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.touched = true;
    try {
      const step = await this.#source.next();
      if (step.done !== true) return step;
      this.#over = true;
      return { done: true, value: undefined };
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.touched) await this.giveBack();
    return { done: true, value: undefined };
  }

  async giveBack(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#source.return?.();
  }
}

async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
