import type { Stats } from "node:fs";
import { opendir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ahead } from "../../fs/ahead.ts";
import { lstat, open } from "../../fs/calls.ts";
import { isErrno } from "../../fs/errors.ts";
import { makeFolder } from "../../fs/make-folder.ts";
import type { ProcessLock } from "../../fs/process-lock.ts";
import { entriesIn, fillsIn, FOLDER_MODE, isEntry, removeFile, removeFills } from "./files.ts";
import { FillFile } from "./fill-file.ts";
import { roundedUp } from "./format.ts";

/** How many files are looked at at once. Few enough to leave threads to those who read and write. */
const STATS_AT_ONCE = 8;
/** After so many entries others have their turn. */
const ENTRIES_IN_A_ROW = 1000;
/** To look at more entries than this takes long. */
const MANY_ENTRIES = 10_000;
const MINUTE = 60_000;

/** A file in the share. */
interface Held {
  /** What it takes of the room. */
  readonly room: number;
  /** When it was last used as far as this process knows, in milliseconds since 1970. */
  usedAt: number;
}

/**
 * The part of the cache's folder that one process has to itself, by a lock: it alone adds to it and makes room in it, so
 * it knows what is in it. All read from it and drop from it, which at worst makes it think that there is more than there is.
 */
export class Share {
  readonly #folder: string;
  readonly #room: number;
  readonly #lock: ProcessLock;
  /** Least recently used first. */
  readonly #entries = new Map<string, Held>();
  /** By entries and by what is being filled. */
  #used = 0;
  #filling = 0;
  #count = 0;
  #closed = false;
  /** Those who make room take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  evicted = 0;

  /**
   * Takes over the lock.
   * @param room bytes
   */
  constructor(folder: string, room: number, lock: ProcessLock) {
    this.#folder = folder;
    this.#room = room;
    this.#lock = lock;
  }

  get entries(): number {
    return this.#entries.size;
  }

  /** Bytes, those that are being filled among them. */
  get used(): number {
    return this.#used;
  }

  /**
   * Finds out what is there, and removes what was being filled when its process died.
   * @param onMany is called when that takes long
   */
  async open(onMany: () => void): Promise<void> {
    await makeFolder(fillsIn(this.#folder), FOLDER_MODE);
    await makeFolder(entriesIn(this.#folder), FOLDER_MODE);
    await removeFills(this.#folder);
    // To the minute, because to sort them all would hold everybody up.
    const byMinute = new Map<number, [name: string, held: Held][]>();
    let looked = 0;
    for await (const found of ahead(
      await opendir(entriesIn(this.#folder), { bufferSize: ENTRIES_IN_A_ROW }),
      STATS_AT_ONCE,
      ({ name }) => this.#look(name),
    )) {
      looked += 1;
      if (looked === MANY_ENTRIES) onMany();
      if (found === undefined) continue;
      const minute = Math.floor(found[1].usedAt / MINUTE);
      const same = byMinute.get(minute);
      if (same === undefined) byMinute.set(minute, [found]);
      else same.push(found);
    }
    for (const minute of [...byMinute.keys()].sort((a, b) => a - b)) {
      for (const [name, held] of byMinute.get(minute) ?? []) {
        this.#entries.set(name, held);
        this.#used += held.room;
        if (this.#entries.size % ENTRIES_IN_A_ROW === 0) await setImmediate();
      }
    }
  }

  async #look(name: string): Promise<[name: string, held: Held] | undefined> {
    const stats = isEntry(name) ? await this.#stat(name) : undefined;
    return stats === undefined ? undefined : [name, { room: roundedUp(stats.size), usedAt: stats.mtimeMs }];
  }

  /** Makes the file of an entry. */
  async create(name: string): Promise<FillFile> {
    this.#count += 1;
    const path = join(fillsIn(this.#folder), `${name}-${this.#count}`);
    return new FillFile(await open(path, "wx+"), path, name, this);
  }

  /**
   * Makes room for so many bytes.
   * @returns false when they are more than half of all room, or others are being filled that leave too little
   */
  admit(room: number): Promise<boolean> {
    return this.#inTurn(async () => {
      if (room > this.#room / 2 || this.#filling + room > this.#room) return false;
      await this.#evict(this.#room - room);
      this.#filling += room;
      this.#used += room;
      return true;
    });
  }

  /** What was admitted is not there any more. */
  giveBack(room: number): void {
    this.#filling -= room;
    this.#used -= room;
  }

  /** Makes an entry of a file. @returns false when somebody has removed it, or the share is closed */
  async publish(path: string, name: string, room: number): Promise<boolean> {
    if (this.#closed) return false;
    try {
      await rename(path, this.#pathOf(name));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw error;
    }
    this.forget(name);
    this.#filling -= room;
    this.#entries.set(name, { room, usedAt: Date.now() });
    return true;
  }

  /** Somebody uses the entry. @param now milliseconds since 1970 */
  touch(name: string, now: number): void {
    const held = this.#entries.get(name);
    if (held === undefined) return;
    held.usedAt = now;
    this.#entries.delete(name);
    this.#entries.set(name, held);
  }

  /** The entry is about to be removed; not afterwards, when there may be another of that name already. */
  forget(name: string): void {
    const held = this.#entries.get(name);
    if (held === undefined) return;
    this.#entries.delete(name);
    this.#used -= held.room;
  }

  /** As {@link forget}, if the file is in this share. */
  forgetFile(path: string): void {
    const name = basename(path);
    if (path === this.#pathOf(name)) this.forget(name);
  }

  /** The disk has less room than the cache may take: makes do with a tenth less. @returns whether that has freed anything */
  shed(): Promise<boolean> {
    return this.#inTurn(async () => {
      const before = this.#used;
      await this.#evict(before * 0.9);
      return this.#used < before;
    });
  }

  /** Gives it up: another process may have it. What is being filled goes on, and becomes no entry. */
  close(): void {
    this.#closed = true;
    this.#lock.release();
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(action);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /** Removes the entries that were not used for longest, until no more than so many bytes are used. */
  async #evict(most: number): Promise<void> {
    for (const [name, held] of this.#entries) {
      if (this.#used <= most) return;
      const stats = await this.#stat(name);
      if (stats !== undefined && Math.floor(stats.mtimeMs) > held.usedAt) {
        // Another process has used it since.
        this.touch(name, stats.mtimeMs);
        continue;
      }
      this.forget(name);
      if (await removeFile(this.#pathOf(name))) this.evicted += 1;
    }
  }

  async #stat(name: string): Promise<Stats | undefined> {
    try {
      return await lstat(this.#pathOf(name));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  #pathOf(name: string): string {
    return join(entriesIn(this.#folder), name);
  }
}
