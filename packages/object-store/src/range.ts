import { StorageError } from "./errors.ts";
import type { ByteRange, StoredObject } from "./port.ts";

/**
 * What a range means for an object of `size` bytes.
 * @throws StorageError `invalid` when it starts at or after the end, or is no range of whole, non-negative numbers
 */
export function resolveRange(key: string, size: number, range: ByteRange | undefined): StoredObject["range"] {
  if (range === undefined) return { start: 0, length: size };
  const { start, end = size - 1 } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || start >= size) {
    throw new StorageError(
      "invalid",
      `bytes ${start}-${range.end ?? ""} are not a range of ${key}, which has ${size} bytes`,
    );
  }
  return { start, length: Math.min(end, size - 1) - start + 1 };
}
