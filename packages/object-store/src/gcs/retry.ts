import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "../errors.ts";

const ATTEMPTS = 4;
/** No attempt begins later than this after the first: a store that is slow to fail is not asked four times. */
const PATIENCE = 30_000;
const FIRST_PAUSE = 100;

/** How often something is tried that fails for the moment: a few times, with pauses that grow and differ. */
export class Attempts {
  readonly #signal: AbortSignal | undefined;
  #begun = Date.now();
  #failures = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** To be called when something was achieved, so that what fails next has all attempts again. */
  progress(): void {
    this.#begun = Date.now();
    this.#failures = 0;
  }

  /**
   * Waits until it may be tried again.
   * @throws the error itself when it will not pass, or was the last; the signal's reason when that comes first
   */
  async again(error: unknown): Promise<void> {
    this.#failures += 1;
    const late = this.#failures >= ATTEMPTS || Date.now() - this.#begun > PATIENCE;
    if (!(error instanceof StorageError) || !error.retryable || late) throw error;
    const longest = FIRST_PAUSE * 2 ** (this.#failures - 1);
    try {
      await delay(longest / 2 + (Math.random() * longest) / 2, undefined, this.#signal && { signal: this.#signal });
    } catch {
      // The timer's own AbortError hides the reason.
      this.#signal?.throwIfAborted();
    }
  }
}

/** Does again what failed for the moment; only for what may be done twice. */
export async function retried<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const attempts = new Attempts(signal);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await attempts.again(error);
    }
  }
}
