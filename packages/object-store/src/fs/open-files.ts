import type { Stats } from "node:fs";
import { closeSync, fstatSync } from "./calls.ts";

/** So many small files stay open after they were read… */
const MOST = 1024;
/** …for at least this long after the last time, and at most twice as long, in milliseconds. */
const IDLE = 10_000;
/** So long a file is given out without a look at whether it is still what the path names, in milliseconds. */
const TRUST = 1000;

/** The most that is kept in memory of them, in bytes. */
const MEMORY = 64 * 1024 * 1024;

/** A file that is open for reading. */
export interface OpenFile {
  readonly fd: number;
  readonly stats: Stats;
  /** All of the file, if it is in memory. Not to be changed. */
  readonly bytes: Uint8Array | undefined;
  /** Whether it has been read before, so that it is worth being kept in memory, and there is room for it. */
  readonly wanted: boolean;
  /** Keeps all of the file in memory for as long as it stays open. */
  readonly keepBytes: (bytes: Uint8Array) => void;
  /** Gives it back. */
  readonly release: () => void;
}

interface Entry {
  readonly fd: number;
  stats: Stats;
  lookedAt: number;
  users: number;
  usedSinceTick: boolean;
  kept: boolean;
  bytes: Uint8Array | undefined;
}

/**
 * Small files that were read a moment ago, kept open for the next reader: many clients fetch the same objects at the same
 * time, and opening a file costs as much as reading it. What is read again is kept in memory, up to a limit. A file that
 * was removed, replaced or damaged more than a second ago is not given out.
 */
export class OpenFiles {
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #memory = 0;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The open file of that path, if there is one and it is still what the path names. */
  find(path: string): OpenFile | undefined {
    const entry = this.#entries.get(path);
    if (entry === undefined) return undefined;
    this.#entries.delete(path);
    if (this.#now() - entry.lookedAt > TRUST) {
      const stats = fstatSync(entry.fd);
      if (stats.nlink === 0 || stats.size !== entry.stats.size || stats.mtimeMs !== entry.stats.mtimeMs) {
        this.#drop(entry);
        return undefined;
      }
      entry.stats = stats;
      entry.lookedAt = this.#now();
    }
    this.#entries.set(path, entry);
    return this.#use(entry, true);
  }

  /** Keeps a file open that was just opened, and gives it to its first reader. */
  keep(path: string, fd: number, stats: Stats): OpenFile {
    const entry: Entry = {
      fd,
      stats,
      lookedAt: this.#now(),
      users: 0,
      usedSinceTick: true,
      kept: true,
      bytes: undefined,
    };
    const file = this.#use(entry, false);
    this.forget(path);
    this.#entries.set(path, entry);
    for (const [oldest, { users }] of this.#entries) {
      if (this.#entries.size <= MOST) break;
      if (users === 0) this.forget(oldest);
    }
    this.#timer ??= setInterval(() => this.#tick(), IDLE).unref();
    return file;
  }

  /** The path names another file from now on, or none. */
  forget(path: string): void {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    this.#entries.delete(path);
    this.#drop(entry);
  }

  /** Closes every file as soon as nobody reads it. */
  close(): void {
    for (const path of this.#entries.keys()) this.forget(path);
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #drop(entry: Entry): void {
    entry.kept = false;
    this.#memory -= entry.bytes?.length ?? 0;
    if (entry.users === 0) closeSync(entry.fd);
  }

  #tick(): void {
    for (const [path, entry] of this.#entries) {
      if (!entry.usedSinceTick && entry.users === 0) this.forget(path);
      entry.usedSinceTick = false;
    }
    if (this.#entries.size === 0) this.close();
  }

  #use(entry: Entry, again: boolean): OpenFile {
    entry.users += 1;
    entry.usedSinceTick = true;
    return {
      fd: entry.fd,
      stats: entry.stats,
      bytes: entry.bytes,
      wanted: again && entry.bytes === undefined && this.#memory + entry.stats.size <= MEMORY,
      keepBytes: (bytes) => {
        if (!entry.kept || entry.bytes !== undefined || this.#memory + bytes.length > MEMORY) return;
        entry.bytes = bytes;
        this.#memory += bytes.length;
      },
      release: () => {
        entry.users -= 1;
        if (entry.users === 0 && !entry.kept) closeSync(entry.fd);
      },
    };
  }
}
