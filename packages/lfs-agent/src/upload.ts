import { stat } from "node:fs/promises";
import type { Oid } from "@holdall/lfs-protocol/oid";
import { errnoOf, StorageError, type ObjectKey } from "@holdall/object-store/open";
import { TransferError } from "./errors.ts";
import type { Wanted } from "./messages.ts";
import { uploadInParts } from "./parts.ts";
import { patiently } from "./patience.ts";
import { SHARDED } from "./places.ts";
import { read, type Source } from "./source.ts";
import type { TransferContext, TransferOptions } from "./transfers.ts";

/** From this size on, in bytes, an upload that was interrupted goes on where it was. */
const IN_PARTS = 32 * 1024 * 1024;

/**
 * Stores an object, unless it is there. One of another size than its own is proven to be damaged, and replaced. Nothing is
 * visible that has not the SHA-256 which is its name.
 * @throws StorageError; TransferError when the file is missing, or is not the object
 */
export async function upload(c: TransferContext, source: Source, o: TransferOptions): Promise<undefined> {
  const key = await missingAt(c, source, o.signal);
  if (key === undefined) return;
  await mustBeThere(source);
  const { multipart } = c.store;
  try {
    if (multipart !== undefined && source.size >= IN_PARTS) await uploadInParts(c, multipart, { ...source, key }, o);
    else await patiently(o.signal, () => uploadWhole(c, source, key, o));
  } catch (error) {
    // Read to the end, it has another digest than its name.
    if (error instanceof StorageError && error.code === "corrupt") throw damagedHere(source.oid, error);
    throw error;
  }
}

/** Where the object is to go; undefined when it is there. */
async function missingAt(
  { store, places }: TransferContext,
  { oid, size }: Wanted,
  signal: AbortSignal,
): Promise<ObjectKey | undefined> {
  const guess = places.written ?? SHARDED;
  const there = await store.stat(guess.keyOf(oid), { signal });
  if (there?.size === size) return undefined;
  if (there !== undefined) return there.key;
  const place = await places.toWrite(signal);
  const key = place.keyOf(oid);
  if (place === guess) return key;
  return (await store.stat(key, { signal }))?.size === size ? undefined : key;
}

async function mustBeThere({ oid, size, path }: Source): Promise<void> {
  let found: number;
  try {
    found = (await stat(path)).size;
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    throw new TransferError(
      "not-found",
      `the object ${oid} is neither in this clone nor in the store: fetch it from where it is (git lfs fetch --all), then push again`,
      { cause },
    );
  }
  if (found !== size) throw damagedHere(oid);
}

async function uploadWhole(
  { store }: TransferContext,
  source: Source,
  key: ObjectKey,
  o: TransferOptions,
): Promise<void> {
  const { oid, size } = source;
  let sent = 0;
  const body = read(source, (bytes) => {
    sent += bytes;
    o.progress(bytes);
  });
  try {
    await store.put(key, body, { size, sha256: oid, handOver: true, signal: o.signal });
  } catch (error) {
    o.progress(-sent);
    throw error;
  }
}

function damagedHere(oid: Oid, cause?: unknown): TransferError {
  return new TransferError(
    "corrupt",
    `the file of the object ${oid} in this clone is damaged, and was not sent: "git lfs fsck" tells which files that concerns`,
    { cause },
  );
}
