/** Not oftener than this, in milliseconds: terminals are slow. */
const INTERVAL = 200;
const KIB = 1024;

/** A line that git's users know: `Receiving packs:  45% (1.20 MiB of 2.66 MiB)`, drawn over itself as bytes come. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #draw: (text: string) => void;
  #done = 0;
  #drawnAt = 0;

  /**
   * @param total bytes
   * @param draw writes to the terminal
   */
  constructor(what: string, total: number, draw: (text: string) => void) {
    this.#what = what;
    this.#total = total;
    this.#draw = draw;
  }

  add(bytes: number): void {
    this.#done += bytes;
    const now = Date.now();
    if (now - this.#drawnAt < INTERVAL) return;
    this.#drawnAt = now;
    this.#draw(`${this.#line()}\r`);
  }

  /** Leaves the line there. */
  end(): void {
    this.#draw(`${this.#line()}, done.\n`);
  }

  #line(): string {
    // What was sent again counts twice.
    const done = Math.min(this.#done, this.#total);
    const percent = this.#total === 0 ? 100 : Math.floor((100 * done) / this.#total);
    return `${this.#what}: ${String(percent).padStart(3)}% (${formatBytes(done)} of ${formatBytes(this.#total)})`;
  }
}

function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= KIB && unit < units.length - 1) {
    value /= KIB;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(2)} ${units[unit] ?? ""}`;
}
