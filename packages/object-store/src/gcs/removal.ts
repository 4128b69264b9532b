import { StorageError } from "../errors.ts";
import type { GcsBucket, Source } from "./bucket.ts";
import type { Signal } from "./json-api.ts";
import { Attempts } from "./retry.ts";

/**
 * Removes this generation of an object if it is the one that is there.
 * @throws StorageError `conflict` when it is not; uncertain when an answer was lost before, because it may then have been
 *   this very call that removed it
 */
export async function removeIf(bucket: GcsBucket, { name, generation }: Source, signal: Signal): Promise<void> {
  const attempts = new Attempts(signal);
  let lost = false;
  for (;;) {
    try {
      if (await bucket.removeIf(name, generation, signal)) return;
      throw new StorageError("conflict", `${name} is not there any more`);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "conflict")
        throw new StorageError("conflict", error.message, { cause: error, uncertain: lost });
      lost ||= error.uncertain;
      await attempts.again(error);
    }
  }
}
