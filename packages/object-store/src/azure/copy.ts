import { StorageError } from "../errors.ts";
import { blockName, MAX_BLOCKS, publishBlocks } from "./blocks.ts";
import type { AzureClient, Call } from "./client.ts";
import { isAzureError } from "./errors.ts";
import { lookAt, type BlobStat } from "./look.ts";
import { publish, type Publication } from "./publish.ts";

const MiB = 1024 * 1024;

/** Sizes in bytes; others only in tests. */
export interface CopySizes {
  /** What the service copies in one request (Copy Blob From URL). */
  readonly whole: number;
  /** Of the pieces in which it copies larger ones (Put Block From URL). */
  readonly piece: number;
}

const SIZES: CopySizes = { whole: 256 * MiB, piece: 64 * MiB };
/** No bytes come here, so only the service's own limits count, which are far away. */
const AT_ONCE = 8;
/** What the service copies takes it this much less time than what comes over a slow line. */
const FASTER = 16;
/** How often a copy is begun anew because what it had gathered is gone. */
const ATTEMPTS = 3;

export interface Copy extends Publication {
  readonly from: string;
  /** As it was looked at; no other version is copied. */
  readonly source: Pick<BlobStat, "size" | "etag">;
}

/** Copies within the container, by requests that make the service read its own blobs. */
export class Copier {
  readonly #client: AzureClient;
  readonly #sizes: CopySizes;

  constructor(client: AzureClient, sizes: CopySizes = SIZES) {
    this.#client = client;
    this.#sizes = sizes;
  }

  /**
   * @returns the etag of the copy
   * @throws StorageError `conflict` when the source is another version by now, or a condition decides against it;
   *   `not-found` when the source is gone
   */
  async copy(copy: Copy): Promise<string> {
    if (copy.source.size <= this.#sizes.whole) return await this.#whole(copy);
    for (let attempts = 1; ; attempts += 1) {
      const names = await this.#gather(copy);
      try {
        return await publishBlocks(this.#client, copy, names);
      } catch (cause) {
        // Something else was published under the name. Unlike the body of a put, the source is still there.
        if (!isAzureError(cause, "InvalidBlockList")) throw cause;
        if (attempts === ATTEMPTS) {
          throw new StorageError("unavailable", `${copy.doing} failed: others were quicker each time`, { cause });
        }
      }
    }
  }

  async #whole(copy: Copy): Promise<string> {
    const { url, options } = await this.#client.source(copy.from, copy);
    // The headers of the object are copied with it.
    const publication = { ...copy, contentType: undefined, bytes: copy.source.size / FASTER };
    return await publish(this.#client, publication, (blob, o) =>
      blob.syncCopyFromURL(url, { ...o, ...options, sourceConditions: { ifMatch: copy.source.etag } }),
    );
  }

  /** Gathers the bytes of the source under the target's name, where they wait to be published. */
  async #gather({ from, source, blob, id, doing, signal }: Copy): Promise<string[]> {
    const size = Math.max(this.#sizes.piece, Math.ceil(source.size / MAX_BLOCKS));
    const starts = Array.from({ length: Math.ceil(source.size / size) }, (_, i) => i * size);
    const names = starts.map((_, i) => blockName(id, i + 1));
    const stop = new AbortController();
    const ended = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
    const queue = starts.entries();
    const work = async (): Promise<void> => {
      for (const [i, start] of queue) {
        const bytes = Math.min(size, source.size - start);
        const call: Call = { doing, needs: "stage", signal: ended, bytes: bytes / FASTER };
        const { url, options } = await this.#client.source(from, call);
        const target = this.#client.blob(blob);
        await this.#client.ask(call, (abortSignal) =>
          target.stageBlockFromURL(names[i] ?? "", url, start, bytes, { ...options, abortSignal }),
        );
      }
    };
    const workers = Array.from({ length: AT_ONCE }, () => work());
    try {
      await Promise.all(workers);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(workers);
      throw error;
    }
    await this.#assertUnchanged(from, source, { doing, needs: "read", signal });
    return names;
  }

  /** The SDK has no condition for the source of a piece. As no etag ever comes back, one look afterwards says as much. */
  async #assertUnchanged(from: string, { etag }: Copy["source"], call: Call): Promise<void> {
    const now = await lookAt(this.#client, from, call);
    if (now?.etag === etag) return;
    throw now === undefined
      ? new StorageError("not-found", `${call.doing} failed: it was deleted meanwhile`)
      : new StorageError("conflict", `${call.doing} failed: it was replaced meanwhile`);
  }
}
