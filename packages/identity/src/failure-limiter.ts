import { IdentityError } from "./errors.ts";

const MINUTE = 60_000;
const MAX_NAMES = 10_000;

/**
 * A token bucket for each user name: so many attempts may fail at once, and one more for each share of a minute that
 * passes. An attempt is counted before it is made and given back when it succeeds, so attempts at the same time count.
 * Names that nobody has count alike.
 */
export class FailureLimiter {
  /** Milliseconds of waiting that one failure costs. */
  readonly #cost: number;
  readonly #clock: () => number;
  /** When the bucket of a name is full again, in the clock's milliseconds; absent is full. Least recently set first. */
  readonly #fullAt = new Map<string, number>();

  /** `clock` tells milliseconds. */
  constructor(o: { readonly failuresPerMinute: number; readonly clock: () => number }) {
    this.#cost = MINUTE / o.failuresPerMinute;
    this.#clock = o.clock;
  }

  /** Counts an attempt as failed. @throws IdentityError `throttled` when too many were, and then counts nothing */
  count(name: string): void {
    const now = this.#clock();
    const debt = this.#debt(name, now) + this.#cost;
    if (debt > MINUTE) {
      const retryAfter = Math.ceil((debt - MINUTE) / 1000);
      throw new IdentityError(
        "throttled",
        `Too many sign-ins with this user name have failed. Check the password and try again in ${retryAfter} seconds.`,
        { retryAfter },
      );
    }
    this.#set(name, now, debt);
  }

  /** The attempt did not fail after all. */
  giveBack(name: string): void {
    const now = this.#clock();
    this.#set(name, now, this.#debt(name, now) - this.#cost);
  }

  #debt(name: string, now: number): number {
    // Never more than a minute, even when the clock was set back.
    return Math.min(Math.max((this.#fullAt.get(name) ?? now) - now, 0), MINUTE);
  }

  #set(name: string, now: number, debt: number): void {
    this.#fullAt.delete(name);
    if (debt > 0) this.#fullAt.set(name, now + debt);
    // Each attempt costs a slow hash, so a flood of names that drives others out takes longer than buckets take to fill.
    for (const [oldest, fullAt] of this.#fullAt) {
      if (fullAt > now && this.#fullAt.size <= MAX_NAMES) break;
      this.#fullAt.delete(oldest);
    }
  }
}
