import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { damagedThere } from "./errors.ts";
import type { Place } from "./places.ts";

const UNPACK = { zstd: createZstdDecompress, gzip: createGunzip } as const;

/** The bytes that are packed in a body. @throws TransferError `corrupt` where they cannot be; what the body throws */
export async function* unpacked(
  body: AsyncIterable<Uint8Array>,
  packed: NonNullable<Place["packed"]>,
  key: string,
): AsyncGenerator<Uint8Array> {
  // Errors of either end the other one too.
  const unpacking = pipeline(Readable.from(body), UNPACK[packed](), () => undefined);
  try {
    yield* unpacking as AsyncIterable<Buffer>;
  } catch (error) {
    if (!isFromZlib(error)) throw error;
    throw damagedThere(key, `is no ${packed} data`, { cause: error });
  }
}

function isFromZlib(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(Z_|ZSTD_)/.test(String(error.code));
}
