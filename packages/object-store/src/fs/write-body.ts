import type { Stats } from "node:fs";
import type { Intake } from "../intake.ts";
import { free } from "../parts.ts";
import { close, closeSync, fdatasync, fstatSync, futimes, writeFully } from "./calls.ts";
import { nextTimestamp } from "./file-stat.ts";

/** The most that one body collects before it is written, in bytes. */
const LARGEST_WRITE = 4 * 1024 * 1024;
/** The least, so that many bodies at once still write in reasonable pieces. */
const SMALLEST_WRITE = 128 * 1024;
/** The most chunks in a write: what writev(2) takes, and a bound on bodies that come byte by byte. */
const MOST_CHUNKS = 1024;
/** What all bodies that are being written may hold in memory together, in bytes (each holds up to two pieces). */
const MEMORY_FOR_WRITES = 16 * 1024 * 1024;
/**
 * Large bodies are pushed to the disk as they come, so that the last sync does not wait for gigabytes: so many bytes of
 * all of them together may wait, but never fewer of each than the second number.
 */
const UNSYNCED = 64 * 1024 * 1024;
const SMALLEST_SYNC = 8 * 1024 * 1024;

let writersNow = 0;

interface WriteOptions {
  readonly stamp: boolean;
  readonly handOver?: boolean | undefined;
}

/** As {@link writeBody}, and closes the file, whatever happens. */
export async function writeAndClose(fd: number, body: Intake, o: WriteOptions): Promise<Stats> {
  try {
    await writeBody(fd, body, o);
  } catch (error) {
    // What was written and not synced may have to wait for a server.
    await close(fd);
    throw error;
  }
  const stats = fstatSync(fd);
  closeSync(fd);
  return stats;
}

/**
 * Writes a body to an open, empty file and syncs it. While one piece is written the next is collected, so the source
 * waits only when it is faster than the disk. The pieces shrink when many bodies are written at once, which bounds
 * the memory of them all.
 * @param o.stamp gives the file a time that tells it from a version before it
 * @param o.handOver as in `PutOptions`
 * @throws what the body throws; errors of the system
 */
async function writeBody(fd: number, body: Intake, o: WriteOptions): Promise<void> {
  writersNow += 1;
  const pending = new PendingWrites(fd, o.handOver === true);
  try {
    let piece: Uint8Array[] = [];
    let pieceBytes = 0;
    for await (const chunk of body) {
      if (chunk.length === 0) continue;
      piece.push(chunk);
      pieceBytes += chunk.length;
      if (pieceBytes >= pieceSize() || piece.length >= MOST_CHUNKS) {
        await pending.write(piece, pieceBytes);
        piece = [];
        pieceBytes = 0;
      }
    }
    if (pieceBytes > 0) await pending.write(piece, pieceBytes);
    await pending.finish(o.stamp);
  } finally {
    // The file must not be closed under a write that is still going on.
    await pending.settle();
    writersNow -= 1;
  }
}

function pieceSize(): number {
  return Math.max(SMALLEST_WRITE, Math.min(LARGEST_WRITE, MEMORY_FOR_WRITES / (2 * writersNow)));
}

/** At most one write and one sync in flight; a failure surfaces at the next call. */
class PendingWrites {
  readonly #fd: number;
  readonly #handOver: boolean;
  #write: Promise<void> = Promise.resolve();
  #sync: Promise<void> = Promise.resolve();
  #position = 0;
  #unsynced = 0;

  constructor(fd: number, handOver: boolean) {
    this.#fd = fd;
    this.#handOver = handOver;
  }

  /** Begins to write after the write before has ended, and returns then. */
  async write(chunks: readonly Uint8Array[], bytes: number): Promise<void> {
    await this.#write;
    this.#write = handled(this.#writeChunks(chunks, this.#position));
    this.#position += bytes;
    this.#unsynced += bytes;
    if (this.#unsynced >= Math.max(SMALLEST_SYNC, UNSYNCED / writersNow)) {
      await this.#sync;
      this.#unsynced = 0;
      this.#sync = handled(fdatasync(this.#fd));
    }
  }

  async #writeChunks(chunks: readonly Uint8Array[], position: number): Promise<void> {
    await writeFully(this.#fd, chunks, position);
    if (this.#handOver) for (const chunk of chunks) free(chunk);
  }

  /** Waits for everything and makes it durable. */
  async finish(stamp: boolean): Promise<void> {
    await this.#write;
    await this.#sync;
    if (stamp) {
      const now = nextTimestamp();
      this.#write = handled(futimes(this.#fd, now, now));
    }
    this.#sync = handled(fdatasync(this.#fd));
    await this.#write;
    await this.#sync;
  }

  async settle(): Promise<void> {
    await Promise.allSettled([this.#write, this.#sync]);
  }
}

/** The promise is awaited later; until then its failure must not count as unhandled. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}
