import { StorageError } from "../errors.ts";
import type { ByteRange, StoredObject } from "../port.ts";
import { resolveRange } from "../range.ts";
import { connectionError } from "./errors.ts";
import { inSeconds } from "./resource.ts";
import type { Incoming } from "./transport.ts";

/** What the head of a download says about the object and the bytes that follow. */
export interface DownloadHead {
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly range: StoredObject["range"];
}

/** The header that asks for a range; undefined for one that Cloud Storage would take for something else. */
export function rangeHeader({ start, end }: ByteRange): string | undefined {
  const [first, last] = [start, end ?? start];
  const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 0 && last >= first;
  return isRange ? `bytes=${start}-${end ?? ""}` : undefined;
}

/**
 * Reads the head of a download.
 * @param range that was asked for
 * @throws StorageError `invalid` when the object does not have it; `unavailable` when other bytes follow
 */
export function readHead({ status, headers }: Incoming, key: string, range: ByteRange | undefined): DownloadHead {
  const generation = headers["x-goog-generation"];
  const modifiedAt = new Date(headers["last-modified"] ?? Number.NaN);
  const extent = status === 206 ? partOf(headers["content-range"]) : wholeOf(headers["content-length"]);
  if (typeof generation === "string" && !Number.isNaN(modifiedAt.getTime()) && extent !== undefined) {
    const { size, ...bytes } = extent;
    const wanted = resolveRange(key, size, range);
    if (wanted.start === bytes.start && wanted.length === bytes.length) {
      return { size, etag: generation, modifiedAt: inSeconds(modifiedAt), range: bytes };
    }
  }
  throw new StorageError("unavailable", `the answer to reading ${key} is not Cloud Storage's: does a proxy interfere?`);
}

interface Extent {
  readonly size: number;
  readonly start: number;
  readonly length: number;
}

function partOf(header: string | undefined): Extent | undefined {
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? "") ?? [];
  if (start === undefined) return undefined;
  return { size: Number(size), start: Number(start), length: Number(end) - Number(start) + 1 };
}

function wholeOf(header: string | undefined): Extent | undefined {
  return header === undefined ? undefined : { size: Number(header), start: 0, length: Number(header) };
}

/** The body of a download. Throws instead of ending where bytes are missing. */
export class Download implements AsyncIterableIterator<Uint8Array> {
  readonly #incoming: Incoming;
  readonly #length: number;
  readonly #name: string;
  readonly #bucket: string;
  #received = 0;
  #over = false;

  constructor(incoming: Incoming, length: number, { name, bucket }: { name: string; bucket: string }) {
    this.#incoming = incoming;
    this.#length = length;
    this.#name = name;
    this.#bucket = bucket;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#over) return { done: true, value: undefined };
    try {
      const step = await this.#incoming.next();
      if (step.done === true) this.#end();
      else this.#received += step.value.length;
      return step;
    } catch (error) {
      this.#over = true;
      const what = `reading ${this.#name}, of which ${this.#received} of ${this.#length} bytes came,`;
      throw connectionError(error, { what, bucket: this.#bucket, writes: false });
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#over = true;
    return await this.#incoming.return();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#received === this.#length) return;
    const came = `${this.#received} of ${this.#length} bytes`;
    throw new StorageError("unavailable", `reading ${this.#name} in gs://${this.#bucket} failed: only ${came} came`);
  }
}
