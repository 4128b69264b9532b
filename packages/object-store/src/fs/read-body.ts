import { StorageError } from "../errors.ts";
import type { StoredObject } from "../port.ts";
import { closeSync, readFully, readSync } from "./calls.ts";
import { fsError } from "./errors.ts";
import { borrow, giveBack, LARGEST_LOAN } from "./lent-memory.ts";

/** Objects up to this size are read in one go, larger ones in pieces of it. Bytes. */
export const READ_SIZE: number = LARGEST_LOAN;
/** Pieces are never smaller than this, in bytes. */
const SMALLEST_READ = 64 * 1024;
/** What all bodies that are being read may hold in memory together, in bytes (each holds up to two pieces). */
const MEMORY_FOR_READS = 32 * 1024 * 1024;

let readersNow = 0;

function pieceSize(): number {
  const share = MEMORY_FOR_READS / (2 * readersNow);
  return Math.min(READ_SIZE, Math.max(SMALLEST_READ, 2 ** Math.floor(Math.log2(share))));
}

/** Bytes of an object in memory that may be lent. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** To be called by whoever asked for lent memory, when the bytes are of no more use. */
  readonly done: () => void;
}

/**
 * Reads a part of an open file piece by piece, one piece ahead of whoever consumes it, and closes the file at the end,
 * at the first error, or when the consumer returns early. The pieces shrink when many bodies are read at once, by slow
 * clients say, which bounds the memory of them all. A class rather than a generator, because the `finally` of a
 * generator that was never started does not run.
 */
export class FileBody implements AsyncIterableIterator<Uint8Array> {
  readonly #fd: number;
  readonly #name: string;
  readonly #signal: AbortSignal | undefined;
  readonly #lent: boolean;
  #position: number;
  readonly #end: number;
  #ahead: Promise<Piece> | undefined;
  /** What the consumer has in hands. */
  #current: Piece | undefined;
  #closed = false;
  /** The calls of a consumer take turns, as with a generator. */
  #turn: Promise<void> = Promise.resolve();

  /** Takes over the descriptor. */
  constructor(
    fd: number,
    name: string,
    range: StoredObject["range"],
    o: { readonly signal?: AbortSignal; readonly borrow?: boolean },
  ) {
    readersNow += 1;
    this.#fd = fd;
    this.#name = name;
    this.#signal = o.signal;
    this.#lent = o.borrow === true;
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
      this.#current?.done();
      this.#current = undefined;
      const ahead = this.#ahead ?? this.#readNext();
      if (ahead === undefined) return await this.#close();
      this.#ahead = undefined;
      this.#current = await ahead;
      this.#ahead = this.#readNext();
      return { done: false, value: this.#current.bytes };
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #close(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#closed) {
      this.#closed = true;
      readersNow -= 1;
      this.#current?.done();
      // The descriptor's number may be given out again: no read may be under way when it is closed.
      const ahead = await this.#ahead?.catch(nothing);
      ahead?.done();
      this.#ahead = undefined;
      closeSync(this.#fd);
    }
    return { done: true, value: undefined };
  }

  #readNext(): Promise<Piece> | undefined {
    if (this.#closed || this.#position >= this.#end) return undefined;
    const position = this.#position;
    const length = Math.min(pieceSize(), this.#end - position);
    this.#position += length;
    const reading = this.#read(position, length);
    // It is awaited by the next call; until then its failure must not count as unhandled.
    reading.catch(nothing);
    return reading;
  }

  async #read(position: number, length: number): Promise<Piece> {
    try {
      return await readPiece(this.#fd, this.#name, { start: position, length }, this.#lent);
    } catch (error) {
      throw fsError(error, `reading ${this.#name}`);
    }
  }
}

/** A piece that is the whole body. */
export class PieceBody implements AsyncIterableIterator<Uint8Array> {
  #piece: Piece | undefined;
  #given = false;

  constructor(piece: Piece) {
    this.#piece = piece;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#given || this.#piece === undefined || this.#piece.bytes.length === 0) return await this.return();
    this.#given = true;
    return { done: false, value: this.#piece.bytes };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#piece?.done();
    this.#piece = undefined;
    return { done: true, value: undefined };
  }
}

/** Reads a part of at most {@link READ_SIZE} bytes. @throws StorageError `corrupt` when the file ends before that */
export async function readPiece(fd: number, name: string, range: StoredObject["range"], lent: boolean): Promise<Piece> {
  const { piece, buffer } = newPiece(range.length, lent);
  try {
    return whole(piece, await readFully(fd, buffer, range.length, range.start), name, range);
  } catch (error) {
    piece.done();
    throw error;
  }
}

/** The same on the calling thread. */
export function readPieceSync(
  fd: number,
  name: string,
  { start, length }: StoredObject["range"],
  lent: boolean,
): Piece {
  const { piece, buffer } = newPiece(length, lent);
  try {
    let done = 0;
    while (done < length) {
      const count = readSync(fd, buffer, done, length - done, start + done);
      if (count === 0) break;
      done += count;
    }
    return whole(piece, done, name, { start, length });
  } catch (error) {
    piece.done();
    throw error;
  }
}

/** A part of what is in memory already. */
export function pieceOf(bytes: Uint8Array, { start, length }: StoredObject["range"]): Piece {
  return { bytes: length === bytes.length ? bytes : bytes.subarray(start, start + length), done: nothing };
}

function newPiece(length: number, lent: boolean): { piece: Piece; buffer: Buffer } {
  if (!lent) {
    const buffer = Buffer.allocUnsafeSlow(length);
    return { piece: { bytes: buffer, done: nothing }, buffer };
  }
  const buffer = borrow(length);
  return { piece: { bytes: buffer.subarray(0, length), done: () => giveBack(buffer) }, buffer };
}

function whole(piece: Piece, count: number, name: string, { start, length }: StoredObject["range"]): Piece {
  if (count === length) return piece;
  throw new StorageError("corrupt", `${name} ended at byte ${start + count}: it was cut while it was read`);
}

function nothing(): void {}
