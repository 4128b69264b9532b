import { createHash } from "node:crypto";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { Capabilities, ObjectVersion, PutOptions } from "../port.ts";
import { Layer } from "./layer.ts";

/**
 * Checks the digest of what is put, on any store: the body is hashed as it passes, and one that is not what `sha256`
 * says throws at its end, which keeps the store from publishing it.
 */
export class VerifyLayer extends Layer {
  override get capabilities(): Capabilities {
    return { ...this.inner.capabilities, checkSha256: true };
  }

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const { sha256, ...rest } = o;
    if (sha256 === undefined) return this.inner.put(key, body, o);
    return this.inner.put(key, new VerifiedBody(body, sha256, o.size), rest);
  }
}

/**
 * Passes a body on and throws instead of ending when its SHA-256 is another. A class rather than a generator, so that
 * `return()` reaches the source even if nothing was read.
 */
class VerifiedBody implements AsyncIterableIterator<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #sha256: string;
  readonly #size: number;
  readonly #hash = createHash("sha256");
  #total = 0;

  constructor(body: AsyncIterable<Uint8Array>, sha256: string, size: number) {
    this.#source = body[Symbol.asyncIterator]();
    this.#sha256 = sha256;
    this.#size = size;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const step = await this.#source.next();
    if (step.done === true) {
      this.#check();
      return { done: true, value: undefined };
    }
    this.#total += step.value.length;
    this.#hash.update(step.value);
    return step;
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  /** A body of another length is the store's to refuse, and `invalid` rather than `corrupt`. */
  #check(): void {
    if (this.#total !== this.#size) return;
    const actual = this.#hash.digest("hex");
    if (actual !== this.#sha256) {
      throw new StorageError("corrupt", `the body has the SHA-256 ${actual}, not ${this.#sha256}`);
    }
  }
}
