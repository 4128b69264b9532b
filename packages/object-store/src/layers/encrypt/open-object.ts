import { StorageError } from "../../errors.ts";
import type { ObjectKey } from "../../key.ts";
import type { ByteRange, GetOptions, ObjectStore, StoredObject } from "../../port.ts";
import { resolveRange } from "../../range.ts";
import { keyMissing, notAuthentic, notEncrypted } from "./errors.ts";
import { lastSegment, plainSize, SEGMENT, sealedStart, segmentAt, SegmentCipher, storedSize } from "./format.ts";
import { getHead, readHeader, takeHead } from "./header.ts";
import type { Keyring } from "./keyring.ts";
import { OpenedBody } from "./opened-body.ts";

/** How often an object may be replaced by another between two requests that are sent at once. */
const ATTEMPTS = 5;

/** Where objects are, and the keys that they are under. */
interface Encrypted {
  readonly inner: ObjectStore;
  readonly keyring: Keyring;
}

/**
 * What `get` of the encrypt layer does. One request; or, for a range that begins after the first segment, two at once: one
 * for the header, and one for the segments that the range touches.
 */
export async function openObject(store: Encrypted, key: ObjectKey, o: GetOptions): Promise<StoredObject> {
  const first = segmentOf(o.range?.start) ?? 0;
  const open = (o: GetOptions): Promise<StoredObject> =>
    first === 0 ? openFromStart(store, key, o) : openApart(store, key, first, o);
  if (o.immutable !== true) return await open(o);
  try {
    return await open(o);
  } catch (error) {
    if (!(error instanceof StorageError && (error.code === "corrupt" || error.code === "denied"))) throw error;
    // What the store knew may be from before the object was put under another key.
    return await open({ ...o, immutable: false });
  }
}

async function openFromStart({ inner, keyring }: Encrypted, key: ObjectKey, o: GetOptions): Promise<StoredObject> {
  const { range, ...rest } = o;
  const object = await inner.get(key, { ...rest, borrow: true, ...storedRange(0, range) }).catch((error: unknown) => {
    // Only an object of no bytes has no byte from the first on.
    throw isInvalid(error) ? notEncrypted(key, error) : error;
  });
  const source = object.body[Symbol.asyncIterator]();
  try {
    const { head, begun } = await takeHead(source);
    return deliver(unlock(keyring, key, head, object.size), { object, source, begun, first: 0 }, o);
  } catch (error) {
    await source.return?.();
    throw error;
  }
}

async function openApart(
  { inner, keyring }: Encrypted,
  key: ObjectKey,
  first: number,
  o: GetOptions,
): Promise<StoredObject> {
  const { range, ...rest } = o;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    // What the store knows from before may be of another version than what it would look up now.
    const options = { ...rest, immutable: o.immutable === true && attempt === 1 };
    const [ofHead, ofSegments] = await Promise.allSettled([
      getHead(inner, key, options),
      inner.get(key, { ...options, borrow: true, ...storedRange(first, range) }),
    ]);
    const object = ofSegments.status === "fulfilled" ? ofSegments.value : undefined;
    const source = object?.body[Symbol.asyncIterator]();
    try {
      if (ofHead.status === "rejected") throw ofHead.reason;
      const { head, size, etag } = ofHead.value;
      const unlocked = unlock(keyring, key, head, size);
      // Says in the object's own bytes what the store has said in those that it holds.
      resolveRange(key, unlocked.size, range);
      if (ofSegments.status === "rejected" && !isInvalid(ofSegments.reason)) throw ofSegments.reason;
      if (object !== undefined && source !== undefined && object.etag === etag) {
        return deliver(unlocked, { object, source, begun: new Uint8Array(0), first }, o);
      }
    } catch (error) {
      await source?.return?.();
      throw error;
    }
    await source?.return?.();
  }
  throw new StorageError("unavailable", `${key} was replaced each time that it was opened: try again`);
}

/** An object that is encrypted with a key that we have. */
interface Unlocked {
  readonly key: ObjectKey;
  readonly keyId: string;
  readonly cipher: SegmentCipher;
  /** Of what comes out of it, in bytes, if it has not been cut. */
  readonly size: number;
}

/** @throws StorageError `corrupt` or `denied` when nothing that could be right comes out of it */
function unlock(keyring: Keyring, key: ObjectKey, head: Uint8Array, stored: number): Unlocked {
  const header = readHeader(key, head);
  if (header === undefined) throw notEncrypted(key);
  const { keyId } = header;
  const encryptionKey = keyring.find(keyId);
  if (encryptionKey === undefined) throw keyMissing(key, keyId);
  const size = plainSize(stored);
  if (storedSize(size) !== stored) throw notAuthentic(key, keyId);
  return { key, keyId, cipher: new SegmentCipher(encryptionKey, header, key), size };
}

/** What the store has answered with, from the start of the segment `first` on. */
interface Segments {
  readonly object: StoredObject;
  readonly source: AsyncIterator<Uint8Array>;
  /** What was read of the source's segments already. */
  readonly begun: Uint8Array;
  readonly first: number;
}

function deliver({ key, keyId, cipher, size }: Unlocked, segments: Segments, o: GetOptions): StoredObject {
  const { object, source, begun, first } = segments;
  const range = resolveRange(key, size, o.range);
  const body = new OpenedBody(source, begun, {
    cipher,
    refuse: (cause) => notAuthentic(key, keyId, cause),
    first,
    last: lastSegment(size),
    sealed: object.range.start + object.range.length - sealedStart(first),
    skip: range.start - first * SEGMENT,
    length: range.length,
    signal: o.signal,
    borrow: o.borrow,
  });
  return new OpenedObject(object, size, range, body);
}

/** Stores make etag and date only when they are asked for. */
class OpenedObject implements StoredObject {
  readonly key: ObjectKey;
  readonly size: number;
  readonly range: StoredObject["range"];
  readonly body: AsyncIterable<Uint8Array>;
  readonly #stored: StoredObject;

  constructor(stored: StoredObject, size: number, range: StoredObject["range"], body: AsyncIterable<Uint8Array>) {
    this.key = stored.key;
    this.size = size;
    this.range = range;
    this.body = body;
    this.#stored = stored;
  }

  get etag(): string {
    return this.#stored.etag;
  }

  get modifiedAt(): Date {
    return this.#stored.modifiedAt;
  }
}

/** The segment with this byte; undefined when there is no such byte in any object. */
function segmentOf(position: number | undefined): number | undefined {
  return position !== undefined && Number.isSafeInteger(position) && position >= 0 ? segmentAt(position) : undefined;
}

/** What to ask the store for: all from the segment `first` to the one in which the range ends; with the first, the header. */
function storedRange(first: number, range: ByteRange | undefined): { readonly range?: ByteRange } {
  const start = first === 0 ? 0 : Math.min(sealedStart(first), Number.MAX_SAFE_INTEGER);
  const last = segmentOf(range?.end);
  const end = last === undefined ? Infinity : sealedStart(last + 1) - 1;
  if (Number.isSafeInteger(end)) return { range: { start, end } };
  return start === 0 ? {} : { range: { start } };
}

function isInvalid(error: unknown): boolean {
  return error instanceof StorageError && error.code === "invalid";
}
