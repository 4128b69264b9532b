import { isErrno } from "../../fs/errors.ts";
import type { Share } from "./share.ts";

/** So long a process keeps nothing after its disk has failed, in milliseconds. */
const REST = 60_000;

/** The share that this process fills: claimed when it is first needed, and anew some time after the disk has failed. */
export class OwnShare {
  readonly #claimOne: (onMany: () => void) => Promise<Share>;
  readonly #onFault: (error: unknown) => void;
  readonly #now: () => number;
  #share: Share | undefined;
  /** While a share is being claimed. `soon` resolves when that is done, or turns out to take long. */
  #claiming: { readonly done: Promise<void>; readonly soon: Promise<void> } | undefined;
  #restUntil = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** In shares that were given up. */
  #evicted = 0;

  /**
   * @param o.claim takes one that nobody has, and calls `onMany` when that takes long
   * @param o.onFault hears why nothing is kept for a while
   * @param o.now milliseconds of a clock that only goes forward
   */
  constructor(o: {
    claim: (onMany: () => void) => Promise<Share>;
    onFault: (error: unknown) => void;
    now: () => number;
  }) {
    this.#claimOne = o.claim;
    this.#onFault = o.onFault;
    this.#now = o.now;
  }

  /** The share, if there is one now. */
  get current(): Share | undefined {
    return this.#share;
  }

  /** How many entries had to make room for others. */
  get evicted(): number {
    return this.#evicted + (this.#share?.evicted ?? 0);
  }

  /** The share, if one can be had soon. */
  async get(): Promise<Share | undefined> {
    if (this.#closed || this.#now() < this.#restUntil) return undefined;
    if (this.#share === undefined) {
      this.#claiming ??= this.#begin();
      await this.#claiming.soon;
    }
    return this.#share;
  }

  /** The disk has failed: makes do with less if it is full, otherwise gives the share up. */
  async fault(error: unknown, share: Share): Promise<void> {
    if (this.#share !== share) return;
    this.#onFault(error);
    if (!isErrno(error, "ENOSPC", "EDQUOT") || !(await this.#shed(share))) this.#giveUp();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#claiming?.done;
    this.#giveUp();
  }

  #begin(): { readonly done: Promise<void>; readonly soon: Promise<void> } {
    const long = Promise.withResolvers<void>();
    const done = this.#claim(long.resolve);
    return { done, soon: Promise.race([done, long.promise]) };
  }

  async #claim(onMany: () => void): Promise<void> {
    try {
      this.#share = await this.#claimOne(onMany);
    } catch (error) {
      this.#onFault(error);
      this.#giveUp();
    } finally {
      this.#claiming = undefined;
    }
  }

  async #shed(share: Share): Promise<boolean> {
    try {
      return await share.shed();
    } catch {
      // Nothing can be removed there: that is as bad as the fault, which has been reported.
      return false;
    }
  }

  #giveUp(): void {
    this.#evicted = this.evicted;
    this.#share?.close();
    this.#share = undefined;
    this.#restUntil = this.#now() + REST;
  }
}
