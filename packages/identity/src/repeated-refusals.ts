import { createHmac, createSecretKey, randomBytes, type KeyObject } from "node:crypto";

/** So often the same credentials are only called wrong; a person or a helper may still find better ones. */
const PATIENCE = 3;
const REMEMBERED_FOR = 60_000;
const MAX_REMEMBERED = 10_000;

/**
 * Notices a client that sends the same refused credentials again and again: some ask a helper that has only one answer,
 * and go on for ever as long as they are told that credentials are wanted. Keeps keyed hashes, never credentials.
 */
export class RepeatedRefusals {
  readonly #clock: () => number;
  readonly #key: KeyObject = createSecretKey(randomBytes(32));
  /** Least recently refused first. */
  readonly #refused = new Map<string, { readonly times: number; readonly until: number }>();

  /** `clock` tells milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Counts a refusal of the credentials, and says whether they have been refused too often to be asked for again. */
  isHopeless(authorization: string): boolean {
    const now = this.#clock();
    const key = createHmac("sha256", this.#key).update(authorization).digest("base64");
    const known = this.#refused.get(key);
    const times = known !== undefined && known.until > now ? known.times + 1 : 1;
    this.#refused.delete(key);
    this.#refused.set(key, { times, until: now + REMEMBERED_FOR });
    for (const [oldest, { until }] of this.#refused) {
      if (until > now && this.#refused.size <= MAX_REMEMBERED) break;
      this.#refused.delete(oldest);
    }
    return times > PATIENCE;
  }
}
