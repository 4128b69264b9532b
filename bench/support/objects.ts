import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { seededChunks } from "../../test/support/content.ts";
import { seededObject, type SeededObject } from "../../test/support/seeded-objects.ts";
import type { ObjectName } from "./lfs-api.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** So many objects with bytes that do not compress, the same each time. @param first of their seeds */
export function smallObjects(count: number, size: number, first = 0): SeededObject[] {
  return Array.from({ length: count }, (_, index) => seededObject(first + index, size));
}

/** Does the work for all items, so many at a time. */
export async function atOnce<T>(limit: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** The last bytes of a large file, by which it becomes another object. */
const TAIL_BYTES = 8;

/** A file with bytes that do not compress, which becomes another object as often as one likes. */
export class LargeFile {
  readonly path: string;
  readonly size: number;
  /** Of all but the tail. */
  readonly #hash: Hash;
  #count = 0;

  private constructor(path: string, size: number, hash: Hash) {
    this.path = path;
    this.size = size;
    this.#hash = hash;
  }

  static async create(path: string, size: number): Promise<LargeFile> {
    const hash = createHash("sha256");
    await using file = await open(path, "wx");
    for (const chunk of seededChunks(size, size - TAIL_BYTES)) {
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    return new LargeFile(path, size, hash);
  }

  /** Changes the file a little, on disk too, and returns what it is now. */
  async becomeAnother(): Promise<ObjectName> {
    this.#count += 1;
    const tail = Buffer.alloc(TAIL_BYTES);
    tail.writeBigUInt64BE(BigInt(this.#count));
    await using file = await open(this.path, "r+");
    await file.write(tail, 0, TAIL_BYTES, this.size - TAIL_BYTES);
    await file.sync();
    return { oid: this.#hash.copy().update(tail).digest("hex"), size: this.size };
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten;
}
