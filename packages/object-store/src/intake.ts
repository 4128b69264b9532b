import { StorageError } from "./errors.ts";
import type { PutOptions } from "./port.ts";

/**
 * The body of a put as an adapter takes it in. Counts it, and ends only after exactly `size` bytes. Gives up as soon as
 * the signal is aborted, even while the source waits for a chunk that never comes. Must be closed by `return()`, which
 * gives a source that has not ended its own resources back, even if nothing was ever read from it.
 */
export class Intake implements AsyncIterableIterator<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #size: number;
  readonly #signal: AbortSignal | undefined;
  #total = 0;
  #waiting = false;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(body: AsyncIterable<Uint8Array>, { size, signal }: PutOptions) {
    this.#source = body[Symbol.asyncIterator]();
    this.#size = size;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort);
  }

  /** Whether `error` came out of the body, or of its signal, rather than out of the store. */
  threw(error: unknown): boolean {
    return this.#failure !== undefined && this.#failure.error === error;
  }

  /** Reads to the end and drops everything. */
  async drain(): Promise<void> {
    for await (const _ of this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    try {
      this.#signal?.throwIfAborted();
      const step = await this.#step();
      if (step.done !== true) {
        this.#total += step.value.length;
        // Also refuses a size that is no number.
        if (!(this.#total <= this.#size)) throw this.#wrongSize("is longer than");
        return step;
      }
      this.#end();
      if (this.#total !== this.#size) throw this.#wrongSize(`ended after ${this.#total} of`);
      return { done: true, value: undefined };
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#ended) {
      this.#end();
      const givenBack = this.#giveBack();
      // A source that still owes a chunk may never get round to it.
      if (!this.#waiting) await givenBack;
    }
    return { done: true, value: undefined };
  }

  /** The next step of the source, or the signal's reason if that comes first. */
  #step(): Promise<IteratorResult<Uint8Array>> {
    const step = this.#pull();
    if (this.#signal === undefined) return step;
    // One for each step: a single promise raced against all of them would remember them all.
    const interruption = Promise.withResolvers<never>();
    this.#interrupt = interruption.reject;
    return Promise.race([step, interruption.promise]);
  }

  async #pull(): Promise<IteratorResult<Uint8Array>> {
    this.#waiting = true;
    try {
      return await this.#source.next();
    } catch (error) {
      this.#end();
      throw error;
    } finally {
      this.#waiting = false;
    }
  }

  async #giveBack(): Promise<void> {
    try {
      await this.#source.return?.();
    } catch {
      // The put has failed already and says why; an error on the way out would only hide that.
    }
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => {
    this.#interrupt?.(this.#signal?.reason);
  };

  #wrongSize(what: string): StorageError {
    return new StorageError("invalid", `the body ${what} the ${this.#size} bytes announced`);
  }
}
