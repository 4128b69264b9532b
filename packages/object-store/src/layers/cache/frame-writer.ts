import { writeFully } from "../../fs/calls.ts";
import { checksumOf, checksumStart, encodeChecksum, FRAME_DATA } from "./format.ts";

/** Writes an object into the file of an entry as it comes, cut into frames. */
export class FrameWriter {
  readonly #fd: number;
  readonly #seed: number;
  /** Goes out with the first bytes. */
  #header: Uint8Array | undefined;
  #position = 0;
  /** The number of the frame that is being written, how much of it there is, and its checksum so far. */
  #frame = 0;
  #filled = 0;
  #checksum: number;

  constructor(fd: number, { bytes, seed }: { readonly bytes: Uint8Array; readonly seed: number }) {
    this.#fd = fd;
    this.#seed = seed;
    this.#header = bytes;
    this.#checksum = checksumStart(seed, 0);
  }

  /** How many bytes of the object are in frames that are whole: the last one is only when all has ended. */
  get readable(): number {
    return this.#frame * FRAME_DATA;
  }

  /** The chunk may be used again when the promise has resolved. */
  async write(chunk: Uint8Array): Promise<void> {
    const parts = this.#header === undefined ? [] : [this.#header];
    this.#header = undefined;
    let frame = this.#frame;
    for (let at = 0; at < chunk.length;) {
      if (this.#filled === FRAME_DATA) {
        parts.push(encodeChecksum(this.#checksum));
        frame += 1;
        this.#filled = 0;
        this.#checksum = checksumStart(this.#seed, frame);
      }
      const part = chunk.subarray(at, at + FRAME_DATA - this.#filled);
      parts.push(part);
      this.#checksum = checksumOf(part, this.#checksum);
      this.#filled += part.length;
      at += part.length;
    }
    await this.#append(parts);
    this.#frame = frame;
  }

  /** Ends the last frame. */
  async end(): Promise<void> {
    await this.#append([encodeChecksum(this.#checksum)]);
  }

  async #append(parts: readonly Uint8Array[]): Promise<void> {
    const position = this.#position;
    for (const { length } of parts) this.#position += length;
    await writeFully(this.#fd, parts, position);
  }
}
