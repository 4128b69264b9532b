/** A bounded set whose members are forgotten when nobody has asked for them for a while, the least recently used first. */
export class RecentKeys {
  readonly #max: number;
  readonly #idle: number;
  readonly #clock: () => number;
  /** Key to the time when it is forgotten; least recently used first. */
  readonly #expiry = new Map<string, number>();

  /** `idle` and `clock` are in milliseconds. */
  constructor(o: { readonly max: number; readonly idle: number; readonly clock: () => number }) {
    this.#max = o.max;
    this.#idle = o.idle;
    this.#clock = o.clock;
  }

  /** Whether the key is remembered; asking keeps it. */
  has(key: string): boolean {
    const expiry = this.#expiry.get(key);
    if (expiry === undefined) return false;
    this.#expiry.delete(key);
    if (expiry <= this.#clock()) return false;
    this.add(key);
    return true;
  }

  add(key: string): void {
    const now = this.#clock();
    this.#expiry.delete(key);
    this.#expiry.set(key, now + this.#idle);
    for (const [oldest, expiry] of this.#expiry) {
      if (expiry > now && this.#expiry.size <= this.#max) break;
      this.#expiry.delete(oldest);
    }
  }
}
