import { StorageError } from "../errors.ts";
import type { GcsBucket } from "./bucket.ts";
import type { Signal } from "./json-api.ts";
import type { GcsObject } from "./resource.ts";
import { Attempts } from "./retry.ts";

/** The metadata by which a writer knows the object that it made itself. */
export const MARK = "holdall-put";

export interface Publication {
  readonly name: string;
  /** What the object will have as {@link MARK}: nobody else's has it. */
  readonly mark: string;
  readonly signal: Signal;
}

/**
 * Sends a request that makes an object under a condition until it is known what became of it. When an answer is lost,
 * the object may be there, and asking again would find the condition broken by one's own success: so it is looked at.
 * @param attempt sends it once, with the mark
 * @throws StorageError `conflict` when another's object decided against it; uncertain when it cannot be known
 */
export async function publish(
  bucket: GcsBucket,
  { name, mark, signal }: Publication,
  attempt: () => Promise<GcsObject>,
): Promise<GcsObject> {
  const attempts = new Attempts(signal);
  /** The error of the first attempt whose outcome nobody knows. */
  let doubt: StorageError | undefined;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const isConflict = error.code === "conflict";
      if (error.uncertain) doubt ??= error;
      if (doubt !== undefined) {
        const found = await seen(() => (isConflict ? bucket.stat(name, signal) : bucket.look(name, signal)));
        if (found !== "unseen" && found?.metadata[MARK] === mark) return found;
        // Ours may have come first and have been replaced since: the caller has lost, but perhaps not from the start.
        if (isConflict) {
          const code = found === "unseen" ? "unavailable" : "conflict";
          throw new StorageError(code, error.message, { cause: doubt, uncertain: true });
        }
      }
      await attempts.again(doubt === undefined ? error : uncertain(error));
    }
  }
}

async function seen(look: () => Promise<GcsObject | undefined>): Promise<GcsObject | undefined | "unseen"> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return "unseen";
  }
}

/** The same error, of a call that may have done its work before. */
export function uncertain(error: unknown): unknown {
  if (!(error instanceof StorageError) || error.uncertain) return error;
  return new StorageError(error.code, error.message, { cause: error, retryable: error.retryable, uncertain: true });
}
