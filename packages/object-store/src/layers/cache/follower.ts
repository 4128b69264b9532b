import type { Piece } from "../../fs/read-body.ts";
import type { StoredObject } from "../../port.ts";
import type { Fill } from "./fill.ts";
import { FRAME_DATA, frameAt, type EntryInfo } from "./format.ts";
import type { Source } from "./source.ts";

/** One reader of a fill, which gives it a frame at a time, as fast as they come or as it likes. */
export class Follower implements Source {
  readonly #fill: Fill;
  #position = 0;
  #end = 0;
  #lent = false;
  /** What the reader has in hands. */
  #piece: Piece | undefined;
  #left = false;
  #returned = false;
  #wake: (() => void) | undefined;

  constructor(fill: Fill) {
    this.#fill = fill;
    fill.join(this);
  }

  /** As {@link Fill.opened}. @throws the signal's reason if that comes first */
  async opened(signal: AbortSignal | undefined): Promise<EntryInfo | undefined> {
    if (signal === undefined) return await this.#fill.opened;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      return await Promise.race([this.#fill.opened, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Says which bytes are wanted, and whether their memory is only lent. */
  begin({ start, length }: StoredObject["range"], lent: boolean): void {
    this.#position = start;
    this.#end = start + length;
    this.#lent = lent;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#piece?.done();
    this.#piece = undefined;
    while (!this.#left && this.#position < this.#end) {
      if (this.#position < this.#fill.readable) return { done: false, value: await this.#read() };
      this.#fill.throwIfFailed();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return { done: true, value: undefined };
  }

  async #read(): Promise<Uint8Array> {
    const frame = frameAt(this.#position);
    const start = frame * FRAME_DATA;
    this.#piece = await this.#fill.read(frame, this.#lent);
    const bytes = this.#piece.bytes.subarray(this.#position - start, this.#end - start);
    this.#position += bytes.length;
    return bytes;
  }

  wake(): void {
    this.#wake?.();
  }

  interrupt(): void {
    if (this.#left) return;
    this.#left = true;
    this.#fill.leave(this);
    this.wake();
  }

  async return(): Promise<void> {
    this.interrupt();
    if (this.#returned) return;
    this.#returned = true;
    this.#piece?.done();
    this.#piece = undefined;
    await this.#fill.release();
  }
}
