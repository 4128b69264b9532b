import type { DecipherGCM } from "node:crypto";
import { SEALED, SEGMENT, TAG, type SegmentCipher } from "./format.ts";
import { Piece } from "./piece.ts";

interface OpenedBodyOptions {
  readonly cipher: SegmentCipher;
  /** The number of the first segment that comes. */
  readonly first: number;
  /** How many bytes come, the tags among them, from the start of that segment. */
  readonly sealed: number;
  /** The number of the object's last segment. */
  readonly last: number;
  /** How many bytes of the first segment nobody asked for. */
  readonly skip: number;
  /** How many bytes are wanted. */
  readonly length: number;
  /** Makes the error for a segment that is not what was stored. */
  readonly refuse: (cause?: unknown) => Error;
  readonly signal?: AbortSignal | undefined;
  /** As in `GetOptions`. */
  readonly borrow?: boolean | undefined;
}

/**
 * The bytes of an object out of its sealed segments, handed out when the segment that they are in was found authentic. It
 * holds one chunk of the source, what came out of it, and what has come of one more segment. A class rather than a
 * generator, because the `finally` of a generator that was never started does not run.
 */
export class OpenedBody implements AsyncIterableIterator<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #o: OpenedBodyOptions;
  /** What is left of the source's last chunk, which may only be lent. */
  #chunk: Uint8Array;
  #segment: number;
  /** How many bytes of the source are still to come, `#chunk` included. */
  #sealed: number;
  #opening: Opening | undefined;
  /** What was found authentic of the chunk; the consumer has it in hands when it was handed out. */
  #piece = new Piece(0);
  #handedOut = false;
  #skip: number;
  #length: number;
  #over = false;

  /** @param begun what was read of the source already, beyond what stands before the segments */
  constructor(source: AsyncIterator<Uint8Array>, begun: Uint8Array, o: OpenedBodyOptions) {
    this.#source = source;
    this.#chunk = begun;
    this.#o = o;
    this.#segment = o.first;
    this.#sealed = o.sealed;
    this.#skip = o.skip;
    this.#length = o.length;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#takeBack();
    try {
      while (!this.#over) {
        this.#o.signal?.throwIfAborted();
        const { bytes } = this.#piece;
        if (bytes.length > 0) {
          this.#handedOut = true;
          return { done: false, value: bytes };
        }
        await this.#goOn();
      }
    } catch (error) {
      // Returned while this was waiting.
      if (this.#over) return { done: true, value: undefined };
      await this.#giveBack();
      throw error;
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#takeBack();
    if (!this.#over) await this.#giveBack();
    return { done: true, value: undefined };
  }

  /** Reads a chunk, or opens the one that is there. */
  async #goOn(): Promise<void> {
    if (this.#chunk.length > 0) {
      this.#piece = new Piece(this.#chunk.length + SEGMENT);
      while (this.#chunk.length > 0 && this.#piece.room >= SEGMENT) this.#open();
      return;
    }
    const step = await this.#source.next();
    if (this.#over) return;
    if (step.done === true) {
      if (this.#sealed > 0) throw this.#o.refuse();
      this.#over = true;
      return;
    }
    this.#chunk = step.value;
  }

  /** Opens as much of the chunk as belongs to one segment. */
  #open(): void {
    const { cipher, last, refuse } = this.#o;
    if (this.#sealed === 0) throw refuse();
    this.#opening ??= new Opening(
      cipher.open(this.#segment, this.#segment === last),
      Math.min(SEALED, this.#sealed) - TAG,
    );
    const taken = this.#opening.take(this.#chunk);
    this.#chunk = this.#chunk.subarray(taken);
    this.#sealed -= taken;
    const pieces = this.#opening.finish(refuse);
    if (pieces === undefined) return;
    for (const piece of pieces) this.#cut(piece);
    this.#segment += 1;
    this.#opening = undefined;
  }

  /** Leaves out of a piece what nobody asked for. */
  #cut(piece: Uint8Array): void {
    const start = Math.min(this.#skip, piece.length);
    const end = Math.min(start + this.#length, piece.length);
    this.#skip -= start;
    this.#length -= end - start;
    if (end > start) this.#piece.add(piece.subarray(start, end));
  }

  /** Waiting for the collector to free it would take as long as opening it again. */
  #takeBack(): void {
    if (!this.#handedOut) return;
    if (this.#o.borrow === true) this.#piece.free();
    this.#piece = new Piece(0);
    this.#handedOut = false;
  }

  async #giveBack(): Promise<void> {
    this.#over = true;
    await this.#source.return?.();
  }
}

/** One segment on its way. */
class Opening {
  readonly #decipher: DecipherGCM;
  readonly #tag = new Uint8Array(TAG);
  readonly #pieces: Uint8Array[] = [];
  #left: number;
  #tagLeft = TAG;

  /** @param length of the segment, without its tag */
  constructor(decipher: DecipherGCM, length: number) {
    this.#decipher = decipher;
    this.#left = length;
  }

  /** @returns how many of the bytes belong to the segment; the others are of the next */
  take(bytes: Uint8Array): number {
    const length = Math.min(this.#left, bytes.length);
    // At once, because the bytes may only be lent; nobody sees what comes out before `finish`.
    if (length > 0) this.#pieces.push(this.#decipher.update(bytes.subarray(0, length)));
    this.#left -= length;
    const ofTag = bytes.subarray(length, length + this.#tagLeft);
    this.#tag.set(ofTag, TAG - this.#tagLeft);
    this.#tagLeft -= ofTag.length;
    return length + ofTag.length;
  }

  /** @returns what was in the segment, or undefined when it has not come whole yet. @throws what `refuse` makes */
  finish(refuse: (cause: unknown) => Error): Uint8Array[] | undefined {
    if (this.#tagLeft > 0) return undefined;
    try {
      this.#decipher.setAuthTag(this.#tag).final();
    } catch (cause) {
      throw refuse(cause);
    }
    return this.#pieces;
  }
}
