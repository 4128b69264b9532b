import type { Writable } from "node:stream";
import { formatAnswer } from "./messages.ts";

/** How often a person can see it move, in milliseconds. */
const INTERVAL = 100;

/** Tells git-lfs how far an object is: not at every chunk, and never when it does not read. */
export class Progress {
  readonly #oid: string;
  readonly #output: Writable;
  #bytes = 0;
  #told = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(oid: string, output: Writable) {
    this.#oid = oid;
    this.#output = output;
  }

  /** @param bytes that have gone or come since the last call; negative when they have to go or come again */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes === this.#told) return;
    if (performance.now() - this.#toldAt >= INTERVAL && !this.#output.writableNeedDrain) this.#tell();
  }

  /** Tells the last of it, if anything. */
  end(): void {
    if (this.#bytes !== this.#told) this.#tell();
  }

  #tell(): void {
    const bytesSinceLast = this.#bytes - this.#told;
    this.#output.write(formatAnswer({ event: "progress", oid: this.#oid, bytesSoFar: this.#bytes, bytesSinceLast }));
    this.#told = this.#bytes;
    this.#toldAt = performance.now();
  }
}
