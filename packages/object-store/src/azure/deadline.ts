const SLOWEST_BYTES_PER_SECOND = 64 * 1024;

/** Strikes when something is waited for too long: a server that neither answers nor closes would be waited for for ever. */
export class Deadline {
  readonly #patience: number;
  readonly #strike: () => void;
  #timer: NodeJS.Timeout | undefined;
  #struck = false;

  /** @param patience milliseconds, besides what the bytes take */
  constructor(patience: number, strike: () => void) {
    this.#patience = patience;
    this.#strike = strike;
  }

  get struck(): boolean {
    return this.#struck;
  }

  /** Begins anew. @param bytes on their way meanwhile; they may take as long as on a slow line */
  start(bytes: number = 0): void {
    this.stop();
    this.#timer = setTimeout(
      () => {
        this.#struck = true;
        this.#strike();
      },
      this.#patience + (bytes / SLOWEST_BYTES_PER_SECOND) * 1000,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
