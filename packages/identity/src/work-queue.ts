import { IdentityError } from "./errors.ts";

/** Lets a few tasks run at once and a few more wait, in order; the rest are refused rather than piled up. */
export class WorkQueue {
  readonly #concurrent: number;
  readonly #queued: number;
  readonly #retryAfter: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** `retryAfter` is what a refused caller is told, in seconds. */
  constructor(o: { readonly concurrent: number; readonly queued: number; readonly retryAfter: number }) {
    this.#concurrent = o.concurrent;
    this.#queued = o.queued;
    this.#retryAfter = o.retryAfter;
  }

  /** @throws IdentityError `throttled` when the queue is full, and whatever the task throws */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#concurrent) {
      this.#running++;
    } else if (this.#waiting.length < this.#queued) {
      // Woken by a task that ends, which leaves its place to this one.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      throw new IdentityError(
        "throttled",
        `Too many sign-ins are being checked. Try again in ${this.#retryAfter} seconds.`,
        { retryAfter: this.#retryAfter },
      );
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
