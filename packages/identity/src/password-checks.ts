import { createHmac, createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import { FailureLimiter } from "./failure-limiter.ts";
import { RecentKeys } from "./recent-keys.ts";
import { WorkQueue } from "./work-queue.ts";

export interface PasswordCheckLimits {
  /** Slow hashes at once. Each takes 32 MiB and one of the four threads that also read and write files. */
  readonly concurrent: number;
  /** Checks that wait for one of those; further ones are `throttled`. */
  readonly queued: number;
  /** Correct passwords remembered. */
  readonly remembered: number;
  /** Seconds that a correct password is remembered after its last use. */
  readonly rememberedFor: number;
  /** Failed checks for one user name before further ones are `throttled`. */
  readonly failuresPerMinute: number;
}

export const DEFAULT_PASSWORD_CHECK_LIMITS: PasswordCheckLimits = {
  concurrent: 2,
  queued: 64,
  remembered: 1000,
  rememberedFor: 60,
  failuresPerMinute: 10,
};

// What a full queue takes to empty: 64 checks of 0.2 to 0.3 seconds, two at once.
const QUEUE_SECONDS = 10;

/**
 * Makes a slow password check bearable for clients that send the password with every request, as git-lfs does, without
 * making guesses cheap. A password found correct is remembered for a short while, by a keyed hash of name, password and
 * stored hash, so that it is forgotten as soon as the stored hash is another one. Equal checks at the same time are made
 * once. All others pass the failure limit of their user name and a short queue; a remembered password passes neither, so
 * guessing does not lock out a client that is at work.
 */
export class PasswordChecks {
  readonly #check: (password: string, stored: string) => Promise<boolean>;
  readonly #key: KeyObject = createSecretKey(randomBytes(32));
  readonly #remembered: RecentKeys;
  readonly #underWay = new Map<string, Promise<boolean>>();
  readonly #failures: FailureLimiter;
  readonly #queue: WorkQueue;

  /** `check` is the slow one; `clock` tells milliseconds. */
  constructor(o: {
    readonly check: (password: string, stored: string) => Promise<boolean>;
    readonly clock: () => number;
    readonly limits: PasswordCheckLimits;
  }) {
    const { check, clock, limits } = o;
    this.#check = check;
    this.#remembered = new RecentKeys({ max: limits.remembered, idle: limits.rememberedFor * 1000, clock });
    this.#failures = new FailureLimiter({ failuresPerMinute: limits.failuresPerMinute, clock });
    this.#queue = new WorkQueue({ concurrent: limits.concurrent, queued: limits.queued, retryAfter: QUEUE_SECONDS });
  }

  /**
   * Whether `password` is what `stored` was made from. `name` must be free of NUL, as `stored` is.
   * @throws IdentityError `throttled`, and whatever the slow check throws
   */
  async matches(name: string, password: string, stored: string): Promise<boolean> {
    const key = createHmac("sha256", this.#key).update(`${name}\0${stored}\0${password}`).digest("base64");
    if (this.#remembered.has(key)) return true;
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return await underWay;
    const check = this.#checkSlowly(name, password, stored);
    this.#underWay.set(key, check);
    try {
      const correct = await check;
      if (correct) this.#remembered.add(key);
      return correct;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #checkSlowly(name: string, password: string, stored: string): Promise<boolean> {
    this.#failures.count(name);
    let wrong = false;
    try {
      wrong = !(await this.#queue.run(() => this.#check(password, stored)));
      return !wrong;
    } finally {
      if (!wrong) this.#failures.giveBack(name);
    }
  }
}
