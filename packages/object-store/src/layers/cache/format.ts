import { crc32 } from "node:zlib";
import type { ObjectKey } from "../../key.ts";

// The format that docs/design/cache.md describes byte by byte. All sizes are in bytes.

/** What stands before the frames: a page, so that each frame begins at one. */
export const HEADER = 4096;
/**
 * A whole frame as it is on disk: a stretch of the object and its checksum. What `FileBody` reads at a time is a multiple
 * of it.
 */
export const FRAME: number = 64 * 1024;
const CHECKSUM = 4;
/** What every frame but the last holds of the object. */
export const FRAME_DATA: number = FRAME - CHECKSUM;
/** What file systems give out at a time. */
const BLOCK = 4096;

const MAGIC = Buffer.from("holdall cache 1\n");
/** The magic, the length of the description, its checksum. */
const PREAMBLE: number = MAGIC.length + 4 + CHECKSUM;

/** Which version of which object an entry holds. */
export interface EntryInfo {
  /** The store that it comes from, as a store URL. */
  readonly store: string;
  readonly key: ObjectKey;
  readonly size: number;
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** What an entry begins with. */
export interface Header {
  readonly info: EntryInfo;
  /** What the checksums of the frames start from: those of another entry never fit. */
  readonly seed: number;
}

/** @returns undefined when the description is longer than the header has room for */
export function encodeHeader(info: EntryInfo): { readonly bytes: Buffer; readonly seed: number } | undefined {
  const text = Buffer.from(JSON.stringify(info));
  if (PREAMBLE + text.length > HEADER) return undefined;
  const bytes = Buffer.alloc(HEADER);
  const seed = crc32(text);
  bytes.set(MAGIC);
  bytes.writeUInt32LE(text.length, MAGIC.length);
  bytes.writeUInt32LE(seed, PREAMBLE - CHECKSUM);
  bytes.set(text, PREAMBLE);
  return { bytes, seed };
}

/** @returns undefined for what is no header, or a damaged one */
export function decodeHeader(start: Uint8Array): Header | undefined {
  const bytes = asBuffer(start);
  if (bytes.length < HEADER || bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) return undefined;
  const length = bytes.readUInt32LE(MAGIC.length);
  const seed = bytes.readUInt32LE(PREAMBLE - CHECKSUM);
  if (PREAMBLE + length > HEADER) return undefined;
  const text = bytes.subarray(PREAMBLE, PREAMBLE + length);
  return crc32(text) === seed ? { info: JSON.parse(text.toString()) as EntryInfo, seed } : undefined;
}

/** How long the file of an object of `size` bytes is. */
export function fileLength(size: number): number {
  return HEADER + size + CHECKSUM * Math.ceil(size / FRAME_DATA);
}

/** What an object of `size` bytes takes of the disk. */
export function roomFor(size: number): number {
  return roundedUp(fileLength(size));
}

/** What a file of that length takes of the disk. */
export function roundedUp(length: number): number {
  return Math.ceil(length / BLOCK) * BLOCK;
}

/** The number of the frame with this byte of the object. */
export function frameAt(position: number): number {
  return Math.floor(position / FRAME_DATA);
}

/** Where in the file a frame begins. */
export function frameStart(frame: number): number {
  return HEADER + frame * FRAME;
}

/** The checksum that a frame has, for the checksum so far and more of its bytes. */
export function checksumOf(bytes: Uint8Array, soFar: number): number {
  return crc32(bytes, soFar);
}

/** What the checksum of a frame starts from: another frame, or that of another entry, has another one. */
export function checksumStart(seed: number, frame: number): number {
  return (seed + frame) >>> 0;
}

export function encodeChecksum(checksum: number): Buffer {
  const bytes = Buffer.alloc(CHECKSUM);
  bytes.writeUInt32LE(checksum);
  return bytes;
}

/**
 * Checks whole frames, and moves what they hold of the object together in the same memory.
 * @param frame the number of the first
 * @returns undefined when one of them is not what was written
 */
export function unpack(frames: Uint8Array, frame: number, seed: number): Uint8Array | undefined {
  const bytes = asBuffer(frames);
  let length = 0;
  for (let at = 0, number = frame; at < bytes.length; at += FRAME, number += 1) {
    const end = Math.min(at + FRAME, bytes.length) - CHECKSUM;
    if (end <= at) return undefined;
    if (crc32(bytes.subarray(at, end), checksumStart(seed, number)) !== bytes.readUInt32LE(end)) return undefined;
    if (length < at) bytes.copyWithin(length, at, end);
    length += end - at;
  }
  return frames.subarray(0, length);
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
