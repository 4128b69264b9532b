import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "@holdall/object-store/open";

/** How often the same thing may fail before it counts. */
const ATTEMPTS = 4;
/** Milliseconds; twice as long each time. */
const FIRST_DELAY = 250;

/**
 * Does something again that failed in a way that may pass. The store's own layer does so for calls without a body; what
 * has begun to flow only its owner can begin again. Nobody else will: git-lfs takes an agent's errors for final.
 * @param action tells by `moved` that it has come further, and its failures count anew
 * @throws what `action` threw last, or the signal's reason
 */
export async function patiently<T>(signal: AbortSignal, action: (moved: () => void) => Promise<T>): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await action(() => (failures = 0));
    } catch (error) {
      signal.throwIfAborted();
      failures += 1;
      if (!(error instanceof StorageError && error.retryable) || failures >= ATTEMPTS) throw error;
      await delay(FIRST_DELAY * 2 ** (failures - 1) * Math.random(), undefined, { signal });
    }
  }
}
