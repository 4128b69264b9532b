import { free } from "../../parts.ts";

/** The most that goes into one piece, in bytes. */
const LARGEST = 1024 * 1024;

/**
 * What is handed out at a time. Each piece is a write to somebody's connection, so segments that come together go on
 * together; copying one, while the processor still has it at hand, costs less than a write of its own.
 */
export class Piece {
  readonly #capacity: number;
  #memory: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** @param most bytes that will be added */
  constructor(most: number) {
    this.#capacity = Math.min(LARGEST, most);
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  /** How many more bytes there is room for. */
  get room(): number {
    return this.#capacity - this.#length;
  }

  /** Takes the bytes over. */
  add(bytes: Uint8Array): void {
    if (this.#length === 0) {
      this.#memory = bytes;
      this.#length = bytes.length;
      return;
    }
    if (this.#memory.length === this.#length) this.#move(Buffer.allocUnsafeSlow(this.#capacity));
    this.#memory.set(bytes, this.#length);
    this.#length += bytes.length;
    free(bytes);
  }

  /** Gives the memory back, which nobody may look at any more. */
  free(): void {
    free(this.#memory);
  }

  #move(memory: Uint8Array): void {
    memory.set(this.#memory);
    free(this.#memory);
    this.#memory = memory;
  }
}
