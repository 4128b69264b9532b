import { createHash, type Hash } from "node:crypto";
import { OID_BYTES, type ObjectFormat } from "./object-id.ts";

const HASHES: Readonly<Record<ObjectFormat, string>> = { sha1: "sha1", sha256: "sha256" };
const PACK_HEADER = 12;
const INDEX_HEADER = 8 + 256 * 4;
const INDEX_MAGIC = Buffer.from([0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]);

/** Bytes that are not the pack, or not the index, that they should be. */
export class PackError extends Error {
  override readonly name = "PackError";
}

/** What a pack says of itself. */
export interface PackSummary {
  /** The checksum at its end, in hexadecimal digits. */
  readonly checksum: string;
  readonly objects: number;
  /** Bytes. */
  readonly size: number;
}

/** What an index says of itself, and of its pack. */
export interface IndexSummary {
  /** Of the pack. */
  readonly checksum: string;
  readonly objects: number;
  readonly size: number;
}

/**
 * Looks at bytes as they pass: keeps the first ones, and all but the last ones are hashed. Both files of a pack end with the
 * hash of what comes before (git: Documentation/gitformat-pack).
 */
class Summing {
  readonly head: Buffer;
  #hash: Hash;
  #tail = Buffer.alloc(0);
  #size = 0;
  readonly #tailBytes: number;
  readonly #hashBytes: number;

  constructor(format: ObjectFormat, headBytes: number, tailBytes: number) {
    this.#hash = createHash(HASHES[format]);
    this.#hashBytes = OID_BYTES[format];
    this.#tailBytes = tailBytes;
    this.head = Buffer.alloc(headBytes);
  }

  update(chunk: Uint8Array): void {
    if (this.#size < this.head.length) this.head.set(chunk.subarray(0, this.head.length - this.#size), this.#size);
    this.#size += chunk.length;
    // The hash covers all but itself, and more than itself may be wanted of the end.
    if (chunk.length >= this.#tailBytes) {
      this.#hash.update(this.#tail);
      this.#hash.update(chunk.subarray(0, chunk.length - this.#tailBytes));
      this.#tail = Buffer.from(chunk.subarray(chunk.length - this.#tailBytes));
      return;
    }
    const joined = Buffer.concat([this.#tail, chunk]);
    const keep = Math.min(joined.length, this.#tailBytes);
    this.#hash.update(joined.subarray(0, joined.length - keep));
    this.#tail = joined.subarray(joined.length - keep);
  }

  /** @throws PackError when the end is not the hash of the rest */
  end(what: string): { readonly size: number; readonly tail: Buffer } {
    const tail = this.#tail;
    const covered = tail.length - this.#hashBytes;
    if (this.#size < this.head.length + this.#tailBytes) throw new PackError(`${what} has only ${this.#size} bytes`);
    this.#hash.update(tail.subarray(0, covered));
    if (!this.#hash.digest().equals(tail.subarray(covered))) {
      throw new PackError(`${what} is damaged: its bytes do not have the checksum at its end`);
    }
    return { size: this.#size, tail };
  }
}

/** Checks a pack that passes piece by piece. */
export class PackCheck {
  readonly #format: ObjectFormat;
  readonly #sum: Summing;

  constructor(format: ObjectFormat) {
    this.#format = format;
    this.#sum = new Summing(format, PACK_HEADER, OID_BYTES[format]);
  }

  update(chunk: Uint8Array): void {
    this.#sum.update(chunk);
  }

  /** To be called once, at the end. @throws PackError when it is no pack, or not all of it */
  end(): PackSummary {
    const { size, tail } = this.#sum.end("the pack");
    const { head } = this.#sum;
    const version = head.readUInt32BE(4);
    if (head.toString("latin1", 0, 4) !== "PACK" || (version !== 2 && version !== 3)) {
      throw new PackError("the pack does not begin as one of version 2 or 3 does");
    }
    return {
      checksum: tail.toString("hex", tail.length - OID_BYTES[this.#format]),
      objects: head.readUInt32BE(8),
      size,
    };
  }
}

/** Checks the index of a pack, of version 2, that passes piece by piece. */
export class IndexCheck {
  readonly #format: ObjectFormat;
  readonly #sum: Summing;

  constructor(format: ObjectFormat) {
    this.#format = format;
    this.#sum = new Summing(format, INDEX_HEADER, 2 * OID_BYTES[format]);
  }

  update(chunk: Uint8Array): void {
    this.#sum.update(chunk);
  }

  /** To be called once, at the end. @throws PackError when it is no index, or not all of it */
  end(): IndexSummary {
    const { size, tail } = this.#sum.end("the index of a pack");
    const { head } = this.#sum;
    if (!head.subarray(0, 8).equals(INDEX_MAGIC)) {
      throw new PackError("the index of a pack does not begin as one of version 2 does");
    }
    let objects = 0;
    for (let at = 8; at < INDEX_HEADER; at += 4) {
      const next = head.readUInt32BE(at);
      if (next < objects) throw new PackError("the index of a pack counts its objects backwards");
      objects = next;
    }
    const oid = OID_BYTES[this.#format];
    const least = INDEX_HEADER + objects * (oid + 8) + 2 * oid;
    // Offsets of packs over 2 GiB take eight bytes more, each.
    if (size < least || size > least + objects * 8 || (size - least) % 8 !== 0) {
      throw new PackError(`the index of a pack has ${size} bytes, which is none for ${objects} objects`);
    }
    return { checksum: tail.toString("hex", 0, oid), objects, size };
  }
}
