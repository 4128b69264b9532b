import { StorageError } from "../errors.ts";
import { isKey, MAX_KEY_BYTES, type ObjectKey } from "../key.ts";

/** Of the first segment of what the adapter keeps for itself: parts of uploads that are not complete. */
const RESERVED = ".holdall/";

/** What the objects of a store are called in its bucket. */
export class Names {
  /** What all names of this store begin with: empty, or the prefix and a slash. */
  readonly base: string;
  /** What all names begin with that are no objects of the caller's. */
  readonly reserved: string;
  /** The first name after all of those, in byte order. */
  readonly afterReserved: string;

  constructor(prefix: string | undefined) {
    this.base = prefix === undefined ? "" : `${prefix}/`;
    this.reserved = this.base + RESERVED;
    this.afterReserved = this.base + RESERVED.replace("/", "0");
  }

  /** @throws StorageError `invalid` when Cloud Storage does not take it, or the adapter keeps it for itself */
  of(key: ObjectKey): string {
    if (key.startsWith(RESERVED)) {
      throw new StorageError("invalid", `${key} cannot be used: ${RESERVED} holds the parts of unfinished uploads`);
    }
    const name = this.base + key;
    if (Buffer.byteLength(name) > MAX_KEY_BYTES) {
      throw new StorageError("invalid", `${name} is longer than the ${MAX_KEY_BYTES} bytes that Cloud Storage takes`);
    }
    return name;
  }

  /** A name that a listing of the keys after this text may begin with: no such key comes before it. */
  offset(after: string): string | undefined {
    // What Cloud Storage refuses in a name is no part of a key either.
    const name = this.base + (/^[^\p{Cc}\p{Cs}]*/u.exec(after)?.[0] ?? "");
    const offset = Buffer.byteLength(name) <= MAX_KEY_BYTES ? name : this.base;
    return offset === "" ? undefined : offset;
  }

  /** The key of an object that a listing has found; undefined when it is none of the caller's. */
  keyOf(name: string): ObjectKey | undefined {
    if (!name.startsWith(this.base) || name.startsWith(this.reserved)) return undefined;
    const key = name.slice(this.base.length);
    return isKey(key) ? key : undefined;
  }
}

/** Whether there can be keys that begin with this text. */
export function mayBeginKey(text: string): boolean {
  return isKey(text) || isKey(`${text}x`);
}
