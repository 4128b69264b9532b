import type { Readable } from "node:stream";
import { textOf } from "./line-text.ts";

const LINE_END = 0x0a;

/** No line of git's is longer than the longest name of a ref and a few words; options may carry a text. */
const LONGEST_LINE = 1024 * 1024;

/** What git says to the helper: lines, and after some of them, bytes. */
export class Input {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream.iterator({ destroyOnReturn: false });
  }

  /** The next line, without its end. Undefined: git has ended. */
  async line(): Promise<string | undefined> {
    for (let from = 0; ;) {
      const end = this.#rest.indexOf(LINE_END, from);
      if (end >= 0) {
        const line = textOf(this.#rest.subarray(0, end));
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      from = this.#rest.length;
      if (from > LONGEST_LINE) throw new Error("a line of git's does not end");
      const next = await this.#chunks.next();
      // Half a line at the end is none: git was ended in the middle of it.
      if (next.done === true) return undefined;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
  }

  /** All that follows, as bytes. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#rest.length > 0) yield this.#rest;
    this.#rest = Buffer.alloc(0);
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) yield next.value;
  }
}
