import type { Stats } from "node:fs";
import type { ObjectKey } from "../key.ts";
import type { ObjectStat, StoredObject } from "../port.ts";

/** The etag and the date cost more than the rest of a small read, so they are made when asked for. */
export class FileStat implements ObjectStat {
  readonly key: ObjectKey;
  readonly size: number;
  readonly #stats: Stats;

  constructor(key: ObjectKey, stats: Stats) {
    this.key = key;
    this.size = stats.size;
    this.#stats = stats;
  }

  get etag(): string {
    return etagOf(this.#stats);
  }

  get modifiedAt(): Date {
    return this.#stats.mtime;
  }
}

export class OpenFile extends FileStat implements StoredObject {
  readonly range: StoredObject["range"];
  readonly body: AsyncIterable<Uint8Array>;

  constructor(key: ObjectKey, stats: Stats, range: StoredObject["range"], body: AsyncIterable<Uint8Array>) {
    super(key, stats);
    this.range = range;
    this.body = body;
  }
}

/**
 * The inode changes with every replacement; when its number comes back the time, which {@link nextTimestamp} sets, is
 * another. Together they name a version.
 */
export function etagOf({ ino, size, mtimeMs }: Pick<Stats, "ino" | "size" | "mtimeMs">): string {
  return `${ino.toString(36)}-${size.toString(36)}-${Math.round(mtimeMs * 1000).toString(36)}`;
}

let sequence = 0;

/**
 * The time now in seconds, as `utimes` takes it, with microseconds that differ from call to call: the clock that the
 * kernel gives files ticks every few milliseconds, in which a file can be replaced more than once.
 */
export function nextTimestamp(): number {
  sequence = (sequence + 1) % 1000;
  return (Date.now() + sequence / 1000) / 1000;
}
