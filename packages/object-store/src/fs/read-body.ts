import { StorageError } from "../errors.ts";
import type { StoredObject } from "../port.ts";
import { closeSync, readFully } from "./calls.ts";
import { fsError } from "./errors.ts";

/** Objects up to this size are read in one go, larger ones in pieces of it. Bytes. */
export const READ_SIZE = 1024 * 1024;

/**
 * Reads a part of an open file piece by piece, one piece ahead of whoever consumes it, and closes the file at the end,
 * at the first error, or when the consumer returns early. A class rather than a generator, because the `finally` of a
 * generator that was never started does not run.
 */
export class FileBody implements AsyncIterableIterator<Uint8Array> {
  readonly #fd: number;
  readonly #name: string;
  readonly #signal: AbortSignal | undefined;
  #position: number;
  readonly #end: number;
  #ahead: Promise<Uint8Array> | undefined;
  #closed = false;
  /** The calls of a consumer take turns, as with a generator. */
  #turn: Promise<void> = Promise.resolve();

  /** Takes over the descriptor. */
  constructor(fd: number, name: string, range: StoredObject["range"], signal: AbortSignal | undefined) {
    this.#fd = fd;
    this.#name = name;
    this.#signal = signal;
    this.#position = range.start;
    this.#end = range.start + range.length;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#inTurn(() => this.#next());
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#inTurn(() => this.#close());
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(action);
    this.#turn = run.then(nothing, nothing);
    return run;
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      if (!this.#closed) this.#signal?.throwIfAborted();
      const current = this.#ahead ?? this.#readNext();
      if (current === undefined) return await this.#close();
      const value = await current;
      this.#ahead = this.#readNext();
      return { done: false, value };
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #close(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#closed) {
      this.#closed = true;
      // The descriptor's number may be given out again: no read may be under way when it is closed.
      await this.#ahead?.catch(nothing);
      this.#ahead = undefined;
      closeSync(this.#fd);
    }
    return { done: true, value: undefined };
  }

  #readNext(): Promise<Uint8Array> | undefined {
    if (this.#closed || this.#position >= this.#end) return undefined;
    const position = this.#position;
    const length = Math.min(READ_SIZE, this.#end - position);
    this.#position += length;
    const reading = this.#read(position, length);
    // It is awaited by the next call; until then its failure must not count as unhandled.
    reading.catch(nothing);
    return reading;
  }

  async #read(position: number, length: number): Promise<Uint8Array> {
    try {
      return await readExactly(this.#fd, this.#name, position, length);
    } catch (error) {
      throw fsError(error, `reading ${this.#name}`);
    }
  }
}

/** Reads `length` bytes at `position`. @throws StorageError `corrupt` when the file ends before that */
export async function readExactly(fd: number, name: string, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length);
  const count = await readFully(fd, buffer, length, position);
  if (count < length) {
    throw new StorageError("corrupt", `${name} ended at byte ${position + count}: it was cut while it was read`);
  }
  return buffer;
}

function nothing(): void {}
