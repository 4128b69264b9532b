import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type CipherGCM,
  type DecipherGCM,
  type KeyObject,
} from "node:crypto";
import { StorageError } from "../../errors.ts";
import type { ObjectKey } from "../../key.ts";
import { HEADER, type Header } from "./header.ts";
import type { EncryptionKey } from "./keyring.ts";

// The format that docs/design/encryption.md describes byte by byte. All sizes are in bytes.

/** What every segment but the last holds of the object. */
export const SEGMENT: number = 64 * 1024;
/** What the cipher adds to each segment. */
export const TAG = 16;
/** A whole segment as it is stored. */
export const SEALED: number = SEGMENT + TAG;
/** Segments are numbered by 32 bits. */
const MOST_SEGMENTS = 2 ** 32;

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const PREFIX_BYTES = 7;

/** How many segments an object of `size` bytes has: an empty one has a segment too, or it could be made out of any other. */
function segmentsOf(size: number): number {
  return Math.max(1, Math.ceil(size / SEGMENT));
}

/**
 * How large an object of `size` bytes is when it is stored.
 * @throws StorageError `invalid` when it has more segments than there are numbers
 */
export function storedSize(size: number): number {
  const segments = segmentsOf(size);
  if (segments > MOST_SEGMENTS) {
    throw new StorageError("invalid", `${size} bytes are more than an encrypted object can have`);
  }
  return HEADER + size + segments * TAG;
}

/**
 * How large an object is that takes `stored` bytes in the store. Of one that was cut, and of what was never encrypted, the
 * size that comes out is too small, unless the object is empty: so whoever knows the right one notices.
 */
export function plainSize(stored: number): number {
  const sealed = Math.max(0, stored - HEADER);
  const whole = Math.floor(sealed / SEALED);
  return whole * SEGMENT + Math.max(0, sealed - whole * SEALED - TAG);
}

/** The number of the segment with this byte of the object. */
export function segmentAt(position: number): number {
  return Math.floor(position / SEGMENT);
}

/** Where a segment begins in what is stored. */
export function sealedStart(segment: number): number {
  return HEADER + segment * SEALED;
}

/** The number of the last segment of an object of `size` bytes. */
export function lastSegment(size: number): number {
  return segmentsOf(size) - 1;
}

/**
 * Seals and opens the segments of one object. Its key is made of the configured one, the header with its salt, and the
 * object's name: under any other header or name nothing opens. This is the STREAM construction as Tink has it
 * (AES-GCM-HKDF), with the number of the segment and whether it is the last one in the nonce.
 */
export class SegmentCipher {
  /** Bare bytes would be made into one of these for each segment, which takes as long as sealing it. */
  readonly #key: KeyObject;
  readonly #noncePrefix: Uint8Array;

  constructor({ key }: EncryptionKey, { bytes, salt }: Header, object: ObjectKey) {
    // Names can be longer than what HKDF takes as info.
    const name = createHash("sha256").update(object).digest();
    const derived = hkdfSync("sha256", key, salt, Buffer.concat([bytes, name]), KEY_BYTES + PREFIX_BYTES);
    this.#key = createSecretKey(new Uint8Array(derived, 0, KEY_BYTES));
    this.#noncePrefix = new Uint8Array(derived, KEY_BYTES);
  }

  seal(segment: number, last: boolean): CipherGCM {
    return createCipheriv(CIPHER, this.#key, this.#nonce(segment, last));
  }

  open(segment: number, last: boolean): DecipherGCM {
    return createDecipheriv(CIPHER, this.#key, this.#nonce(segment, last), { authTagLength: TAG });
  }

  #nonce(segment: number, last: boolean): Uint8Array {
    const nonce = Buffer.alloc(PREFIX_BYTES + 5);
    nonce.set(this.#noncePrefix);
    nonce.writeUInt32BE(segment, PREFIX_BYTES);
    nonce.writeUInt8(last ? 1 : 0, PREFIX_BYTES + 4);
    return nonce;
  }
}
