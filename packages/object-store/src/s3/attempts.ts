import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "../errors.ts";

/** How often a conditional write is sent that gets no answer. */
const ATTEMPTS = 5;
/** No attempt begins later than this after the first, in milliseconds: a store that is slow to fail is not asked five times. */
const PATIENCE = 30_000;

/** @param begun when the first attempt did, in milliseconds since 1970 */
export function isLast(attempt: number, begun: number): boolean {
  return attempt === ATTEMPTS || Date.now() - begun > PATIENCE;
}

/** Waits before the next attempt, each time about twice as long, and never exactly as long as others do. */
export async function pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const milliseconds = 50 * 2 ** attempt * (0.5 + Math.random());
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  } finally {
    signal?.throwIfAborted();
  }
}

/** Whether the condition decided against it, or there is nothing that it could be done to. */
export function isRefusal({ code }: StorageError): boolean {
  return code === "not-found" || code === "conflict";
}

/** The error of the last attempt, for the caller. @param uncertain whether any attempt may have succeeded */
export function lastError(error: StorageError, uncertain: boolean): StorageError {
  if (uncertain === error.uncertain) return error;
  const message = `${error.message}; an earlier attempt may have succeeded`;
  return new StorageError(error.code, message, { cause: error, retryable: error.retryable, uncertain });
}
