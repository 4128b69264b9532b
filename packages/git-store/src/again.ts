import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "@holdall/object-store/open";

/** How often a body is sent, or what is left of one asked for, and the longest wait after the first time, in milliseconds. */
const ATTEMPTS = 5;
const FIRST_PAUSE = 100;

/** Calls that carry a body are not repeated by whoever does not know where it comes from. Here it can be had again. */
export async function again(call: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await call();
      return;
    } catch (error) {
      if (!(error instanceof StorageError && error.retryable) || attempt === ATTEMPTS) throw error;
      await delay(Math.random() * FIRST_PAUSE * 2 ** attempt);
    }
  }
}
