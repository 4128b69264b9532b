import { StorageError } from "../../errors.ts";
import type { StoredObject } from "../../port.ts";
import { CacheFault, type Source } from "./source.ts";

export interface CachedBodyOptions {
  /** Which bytes of the object. */
  readonly range: StoredObject["range"];
  readonly signal?: AbortSignal | undefined;
  /** Opens the store's own copy of the same version at this byte, when the cache has failed. */
  readonly rescue: (position: number, signal: AbortSignal) => Promise<Source>;
}

/**
 * A body out of the cache, which goes on from the store at the same byte when the cache cannot. A class rather than a
 * generator, because the `finally` of a generator that was never started does not run.
 */
export class CachedBody implements AsyncIterableIterator<Uint8Array> {
  #source: Source;
  #position: number;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  readonly #rescue: CachedBodyOptions["rescue"];
  /** Ends what the store is asked for instead. */
  #stop: AbortController | undefined;
  #returned = false;
  #over = false;
  /** The calls of a consumer take turns, as with a generator. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Takes over the source, which must begin at the first byte of the range. */
  constructor(source: Source, { range, signal, rescue }: CachedBodyOptions) {
    this.#source = source;
    this.#position = range.start;
    this.#end = range.start + range.length;
    this.#signal = signal;
    this.#rescue = rescue;
    signal?.addEventListener("abort", this.#interrupt);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#inTurn(() => this.#next());
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#returned = true;
    this.#interrupt();
    return this.#inTurn(() => this.#close());
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(action);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#over || this.#returned) return await this.#close();
    try {
      this.#signal?.throwIfAborted();
      const step = await this.#step();
      this.#signal?.throwIfAborted();
      if (step.done === true) {
        if (this.#position < this.#end && !this.#returned) throw this.#truncated();
        return await this.#close();
      }
      this.#position += step.value.length;
      return step;
    } catch (error) {
      await this.#close();
      this.#signal?.throwIfAborted();
      if (this.#returned) return { done: true, value: undefined };
      throw error;
    }
  }

  async #step(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      return await this.#source.next();
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (!(error instanceof CacheFault) || this.#returned) throw error;
    }
    await this.#source.return();
    this.#stop = new AbortController();
    this.#source = await this.#rescue(this.#position, this.#stop.signal);
    return await this.#source.next();
  }

  async #close(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#over) {
      this.#over = true;
      this.#signal?.removeEventListener("abort", this.#interrupt);
      await this.#source.return();
    }
    return { done: true, value: undefined };
  }

  readonly #interrupt = (): void => {
    if (this.#over) return;
    this.#source.interrupt();
    this.#stop?.abort();
  };

  #truncated(): StorageError {
    return new StorageError("unavailable", `the body ended ${this.#end - this.#position} bytes too early`);
  }
}
