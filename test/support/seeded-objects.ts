import { seededBytes, sha256 } from "./content.ts";

/** An object of the LFS API with its bytes, the same for the same seed. */
export interface SeededObject {
  readonly oid: string;
  /** In bytes. */
  readonly size: number;
  readonly bytes: Buffer;
}

export function seededObject(seed: number, size: number): SeededObject {
  const bytes = seededBytes(seed, size);
  return { oid: sha256(bytes), size, bytes };
}

const SMALLEST = 64 * 1024;
const DOUBLINGS = 7;

/** So many different objects of 64 KiB to 8 MiB, small ones as often as large ones, the same for the same seed. */
export function seededObjects(seed: number, count: number): SeededObject[] {
  return Array.from({ length: count }, (_, index) =>
    seededObject(seed * count + index, Math.round(SMALLEST * 2 ** ((DOUBLINGS * index) / (count - 1)))),
  );
}
