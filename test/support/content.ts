import { createCipheriv, createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

const CHUNK_BYTES = 1024 * 1024;

/** `size` bytes that look random and are the same for the same seed, in chunks of up to 1 MiB. */
export function* seededChunks(seed: number, size: number): Generator<Buffer> {
  const key = createHash("sha256").update(`seed ${seed}`).digest().subarray(0, 16);
  const cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(Math.min(size, CHUNK_BYTES));
  for (let left = size; left > 0; left -= CHUNK_BYTES)
    yield cipher.update(zeros.subarray(0, Math.min(left, CHUNK_BYTES)));
}

export function seededBytes(seed: number, size: number): Buffer {
  return Buffer.concat([...seededChunks(seed, size)]);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: CHUNK_BYTES }), hash);
  return hash.digest("hex");
}
