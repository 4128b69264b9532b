/** Reads up to this size may run on the calling thread, in bytes. */
export const QUICK_READ = 128 * 1024;
/** What the kernel has in memory is opened and read in a tenth of this, in milliseconds; a disk takes longer. */
const QUICK_MS = 0.25;
/** How many reads go to other threads after a slow one; twice as many each time that the next try is slow too. */
const SHORTEST_DETOUR = 32;
const LONGEST_DETOUR = 16_384;

/**
 * Decides where small reads run. To hand one to another thread and back costs more than the read itself when the kernel
 * has the bytes in memory, as it mostly does: half the processor time of a 64 KiB read. When it has not, the whole
 * process would wait for the disk. So reads run on the calling thread until one turns out slow, and the next ones
 * elsewhere.
 */
export class ReadPace {
  readonly #now: () => number;
  #detour = 0;
  #nextDetour = SHORTEST_DETOUR;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether the next read is to run on the calling thread. */
  here(): boolean {
    if (this.#detour === 0) return true;
    this.#detour -= 1;
    return false;
  }

  /** Runs a part of such a read, and sees whether it was quick. */
  run<T>(action: () => T): T {
    const started = this.#now();
    try {
      return action();
    } finally {
      this.#took(this.#now() - started);
    }
  }

  #took(milliseconds: number): void {
    if (milliseconds > QUICK_MS) {
      this.#detour = this.#nextDetour;
      this.#nextDetour = Math.min(this.#nextDetour * 2, LONGEST_DETOUR);
    } else if (this.#nextDetour > SHORTEST_DETOUR) {
      this.#nextDetour /= 2;
    }
  }
}
