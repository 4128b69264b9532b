import type { Readable } from "node:stream";
import { StorageError } from "../errors.ts";
import type { AzureClient, Call } from "./client.ts";

/** How often a body that breaks off is continued without having got much further. */
const CONTINUATIONS = 3;
/** Bytes. */
const FURTHER = 1024 * 1024;

export interface Reading {
  readonly client: AzureClient;
  readonly call: Call;
  readonly range: { readonly start: number; readonly length: number };
  /** Opens the same version from this byte on, to the end of the range. */
  readonly open: (start: number) => Promise<Readable>;
}

/**
 * The bytes of an answer. When the connection breaks, it goes on with another request for the rest of the same version;
 * an answer that ends early is never taken for the end. Returning early closes the connection.
 */
export class ReadBody implements AsyncIterableIterator<Uint8Array> {
  readonly #reading: Reading;
  readonly #end: number;
  #at: number;
  #stream: Readable;
  #chunks: AsyncIterator<Uint8Array>;
  #over = false;
  #failures = 0;
  #since = 0;

  constructor(stream: Readable, reading: Reading) {
    this.#reading = reading;
    this.#at = reading.range.start;
    this.#since = reading.range.start;
    this.#end = reading.range.start + reading.range.length;
    this.#stream = stream;
    this.#chunks = chunksOf(stream);
    reading.call.signal?.addEventListener("abort", this.#onAbort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#over) return { done: true, value: undefined };
    try {
      this.#reading.call.signal?.throwIfAborted();
      while (this.#at < this.#end) {
        const chunk = await this.#chunk();
        if (this.#over) break;
        if (chunk === undefined) continue;
        this.#at += chunk.length;
        return { done: false, value: chunk };
      }
      if (!this.#over) await this.#finish();
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#close();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#close();
    return { done: true, value: undefined };
  }

  /** The next bytes, or undefined when the answer broke off and another was opened. */
  async #chunk(): Promise<Uint8Array | undefined> {
    const { client, call } = this.#reading;
    const deadline = client.deadline(() => this.#stream.destroy());
    deadline.start();
    let cause: unknown;
    try {
      const step = await this.#chunks.next();
      if (step.done !== true) return step.value;
    } catch (error) {
      cause = error;
    } finally {
      deadline.stop();
    }
    if (this.#over) return undefined;
    call.signal?.throwIfAborted();
    if (deadline.struck) throw client.late(call);
    await this.#continue(cause);
    return undefined;
  }

  /** The connection can be used again only when the end of the answer was seen too. */
  async #finish(): Promise<void> {
    const deadline = this.#reading.client.deadline(() => this.#stream.destroy());
    deadline.start();
    try {
      await this.#chunks.next();
    } catch {
      // All bytes are here; that the connection breaks now takes nothing from them.
    } finally {
      deadline.stop();
    }
  }

  async #continue(cause: unknown): Promise<void> {
    const { client, call, open } = this.#reading;
    this.#failures = this.#at - this.#since < FURTHER ? this.#failures + 1 : 1;
    this.#since = this.#at;
    if (this.#failures > CONTINUATIONS) {
      const missing = this.#end - this.#at;
      throw new StorageError(
        "unavailable",
        `${call.doing} in ${client.at} broke off, ${missing} bytes before its end`,
        {
          cause,
        },
      );
    }
    const stream = await open(this.#at);
    // Returned meanwhile.
    if (this.#over) stream.destroy();
    this.#stream = stream;
    this.#chunks = chunksOf(stream);
  }

  #close(): void {
    this.#over = true;
    this.#reading.call.signal?.removeEventListener("abort", this.#onAbort);
    this.#stream.destroy();
  }

  readonly #onAbort = (): void => {
    this.#stream.destroy();
  };
}

function chunksOf(stream: Readable): AsyncIterator<Uint8Array> {
  // Destroyed by us, or broken before anyone asked for its bytes: whoever asks next is told.
  stream.on("error", () => undefined);
  return stream[Symbol.asyncIterator]();
}
