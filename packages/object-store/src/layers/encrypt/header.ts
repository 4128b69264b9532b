import { StorageError } from "../../errors.ts";
import type { ObjectKey } from "../../key.ts";
import { readWhole } from "../../parts.ts";
import type { GetOptions, ObjectStore } from "../../port.ts";
import { isKeyId } from "./keyring.ts";

/** How many bytes stand before the segments. */
export const HEADER = 80;
/** How many of them are random. */
export const SALT = 32;

const FAMILY = "holdall-aead-v";
const MAGIC = `${FAMILY}1\n`;
const VERSION = new RegExp(`^${FAMILY}(\\d)\n`);
const KEY_ID = 32;

/** What an encrypted object begins with. */
export interface Header {
  readonly bytes: Uint8Array;
  readonly keyId: string;
  readonly salt: Uint8Array;
}

/** @param salt {@link SALT} random bytes, never used before */
export function makeHeader(keyId: string, salt: Uint8Array): Header {
  const bytes = Buffer.concat([Buffer.from(MAGIC.concat(keyId.padEnd(KEY_ID, "\0")), "latin1"), salt]);
  return { bytes, keyId, salt };
}

/** Whether what begins so is, or was once, encrypted by us. */
export function isEncrypted(head: Uint8Array): boolean {
  return Buffer.from(head).toString("latin1", 0, FAMILY.length) === FAMILY;
}

/**
 * @param head the first {@link HEADER} bytes of an object, or all of one that has fewer
 * @returns undefined for what is not encrypted
 * @throws StorageError `unsupported` for a form of a later version, `corrupt` for a header that cannot be
 */
export function readHeader(key: ObjectKey, head: Uint8Array): Header | undefined {
  if (!isEncrypted(head)) return undefined;
  const text = Buffer.from(head).toString("latin1");
  const version = VERSION.exec(text)?.[1];
  if (version !== undefined && version !== "1") {
    throw new StorageError("unsupported", `${key} is encrypted in a form that this Holdall does not know: upgrade it`);
  }
  const keyId = text.slice(MAGIC.length, MAGIC.length + KEY_ID).replace(/\0+$/, "");
  if (version === undefined || head.length < HEADER || !isKeyId(keyId)) {
    throw new StorageError("corrupt", `the header of ${key} is damaged: restore the object`);
  }
  return { bytes: head, keyId, salt: head.subarray(HEADER - SALT) };
}

/** What an object begins with, and of which version it is. @throws StorageError `not-found` when there is no object */
export async function getHead(
  inner: ObjectStore,
  key: ObjectKey,
  o: Pick<GetOptions, "signal" | "immutable"> = {},
): Promise<{ readonly head: Uint8Array; readonly size: number; readonly etag: string }> {
  try {
    const { size, etag, body } = await inner.get(key, { ...o, range: { start: 0, end: HEADER - 1 } });
    return { head: await readWhole(body), size, etag };
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "invalid")) throw error;
    // An object of no bytes has no first one.
    const stat = await inner.stat(key, o.signal === undefined ? {} : { signal: o.signal });
    if (stat?.size !== 0) throw error;
    return { head: new Uint8Array(0), size: 0, etag: stat.etag };
  }
}

/** Reads as much of a body. @returns what an object begins with, and what was read beyond, in memory that may be lent */
export async function takeHead(source: AsyncIterator<Uint8Array>): Promise<{ head: Uint8Array; begun: Uint8Array }> {
  const head = Buffer.alloc(HEADER);
  let filled = 0;
  for (let step = await source.next(); step.done !== true; step = await source.next()) {
    const taken = step.value.subarray(0, HEADER - filled);
    head.set(taken, filled);
    filled += taken.length;
    if (filled === HEADER) return { head, begun: step.value.subarray(taken.length) };
  }
  return { head: head.subarray(0, filled), begun: new Uint8Array(0) };
}
