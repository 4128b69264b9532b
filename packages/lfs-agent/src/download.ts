import { StorageError, type ObjectKey, type StoredObject } from "@holdall/object-store/open";
import { damagedThere, isFull, TransferError } from "./errors.ts";
import { IncomingFile } from "./incoming-file.ts";
import type { Wanted } from "./messages.ts";
import { patiently } from "./patience.ts";
import type { Place } from "./places.ts";
import type { TransferContext, TransferOptions } from "./transfers.ts";
import { unpacked } from "./unpacked.ts";

/**
 * Fetches an object, from wherever in the store it is. A copy that is damaged is passed over for another one.
 * @returns the path of a file that has the bytes, which is the caller's now
 * @throws StorageError; TransferError `not-found`, or `corrupt` when there are damaged copies only
 */
export async function download(c: TransferContext, wanted: Wanted, o: TransferOptions): Promise<string> {
  let damaged: unknown;
  for (const place of c.places.toRead) {
    try {
      const path = await downloadFrom(c, place, wanted, o);
      c.places.found(place);
      return path;
    } catch (error) {
      if (error instanceof TransferError && error.code === "corrupt") damaged ??= error;
      else if (!(error instanceof StorageError && error.code === "not-found")) throw error;
    }
  }
  throw (
    damaged ??
    new TransferError(
      "not-found",
      `the object ${wanted.oid} is not in the store: push it from a clone that has it (git lfs push --all)`,
    )
  );
}

async function downloadFrom(c: TransferContext, place: Place, wanted: Wanted, o: TransferOptions): Promise<string> {
  const { oid } = wanted;
  const key = place.keyOf(oid);
  const resumable = place.packed === undefined;
  const file = await IncomingFile.open(c.folders, wanted, { resumable });
  let told = 0;
  const tell = (): void => {
    o.progress(file.bytes - told);
    told = file.bytes;
  };
  const fill = (): Promise<void> =>
    patiently(o.signal, async (moved) => {
      if (!resumable) await file.clear();
      for await (const chunk of bodyOf(c, place, { ...wanted, key, start: file.bytes }, o.signal)) {
        if (file.bytes + chunk.length > wanted.size) throw damagedThere(key, `has more than ${wanted.size} bytes`);
        await file.write(chunk);
        // Packed bytes always come from the first one on.
        if (resumable) moved();
        tell();
      }
    });
  try {
    const resumed = file.bytes > 0;
    await fill();
    if (resumed && file.digest() !== oid) {
      // What was left by whomever need not have been the beginning of this.
      await file.clear();
      await fill();
    }
    if (file.digest() !== oid) {
      throw damagedThere(key, `has the SHA-256 ${file.digest()}`, { replaced: !resumable });
    }
    tell();
    return await file.finish();
  } catch (error) {
    o.progress(-told);
    await file.giveUp({ keep: resumable && !isWorthless(error) });
    throw error;
  }
}

/** The object's bytes from `start` on. */
async function* bodyOf(
  { store }: TransferContext,
  { packed }: Place,
  { key, size, start }: Wanted & { readonly key: ObjectKey; readonly start: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (packed !== undefined) {
    const { body } = await store.get(key, { immutable: true, signal });
    yield* unpacked(body, packed, key);
    return;
  }
  if (start > 0 && start === size) return;
  const range = start === 0 ? {} : { range: { start } };
  let object: StoredObject;
  try {
    object = await store.get(key, { ...range, immutable: true, borrow: true, signal });
  } catch (error) {
    const isShort = start > 0 && error instanceof StorageError && error.code === "invalid";
    throw isShort ? damagedThere(key, `has less than ${size} bytes`) : error;
  }
  if (object.size !== size) {
    await object.body[Symbol.asyncIterator]().return?.();
    throw damagedThere(key, `has ${object.size} bytes where the object has ${size}`);
  }
  yield* object.body;
}

/** Whether what has come so far is of no use to a later attempt, or in its way. */
function isWorthless(error: unknown): boolean {
  return error instanceof TransferError || isFull(error);
}
