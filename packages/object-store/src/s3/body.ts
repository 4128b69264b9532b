import type { Readable } from "node:stream";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";

/**
 * The body of an answer on its way: as fast as it is read, and no faster. Returning it early, or aborting the signal,
 * breaks the connection off. One that ends too early throws.
 */
export class ObjectBody implements AsyncIterableIterator<Uint8Array> {
  readonly #key: ObjectKey;
  readonly #length: number;
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  #left: number;
  #over = false;

  /** @param length the bytes that it must deliver */
  constructor(key: ObjectKey, stream: Readable, length: number, signal: AbortSignal | undefined) {
    this.#key = key;
    this.#length = length;
    this.#left = length;
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#signal = signal;
    signal?.addEventListener("abort", this.#breakOff);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#over) return { done: true, value: undefined };
    try {
      this.#signal?.throwIfAborted();
      const step = await this.#chunks.next();
      this.#signal?.throwIfAborted();
      if (step.done !== true) {
        this.#left -= step.value.length;
        return step;
      }
      if (this.#left > 0) throw this.#truncated("it ended");
      this.#end();
      return { done: true, value: undefined };
    } catch (error) {
      // Returned while this was waiting.
      if (this.#over) return { done: true, value: undefined };
      this.#breakOff();
      this.#end();
      this.#signal?.throwIfAborted();
      throw error instanceof StorageError ? error : this.#truncated(String(error), error);
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#over) {
      this.#end();
      this.#breakOff();
    }
    return { done: true, value: undefined };
  }

  readonly #breakOff = (): void => {
    this.#stream.destroy();
  };

  #end(): void {
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#breakOff);
  }

  #truncated(why: string, cause?: unknown): StorageError {
    const read = this.#length - this.#left;
    const message = `reading ${this.#key} broke off after ${read} of ${this.#length} bytes: ${why}`;
    return new StorageError("unavailable", message, { cause });
  }
}
