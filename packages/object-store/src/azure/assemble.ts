import { StorageError } from "../errors.ts";
import type { UploadedPart } from "../port.ts";
import { backOff, type AzureClient, type Call } from "./client.ts";
import { isAzureError } from "./errors.ts";
import { lookAt, quoted, type BlobStat } from "./look.ts";
import { blockOf, partsOf } from "./part-names.ts";

const ATTEMPTS = 4;

export type Assembled = Pick<BlobStat, "size" | "etag" | "contentType">;

/**
 * Makes the blob of an upload out of its parts. Whoever comes later, or again after an answer was lost, finds it made.
 * @returns undefined when there is no such upload
 * @throws StorageError `invalid` when a part is missing, is another, or out of order
 */
export async function assemble(
  client: AzureClient,
  blob: string,
  parts: readonly UploadedPart[],
  call: Call,
): Promise<Assembled | undefined> {
  assertOrdered(parts, call);
  for (let attempts = 1; ; attempts += 1) {
    const before = await lookAt(client, blob, { ...call, needs: "read" });
    if (before === undefined) return undefined;
    const there = await blocksOf(client, blob, call);
    if (there === undefined) return undefined;
    if (isSame(there.committed, parts)) {
      // Possibly since it was looked at.
      return await lookAt(client, blob, { ...call, needs: "read" });
    }
    assertThere(parts, [...there.committed, ...there.uncommitted], call);
    try {
      return await commit(client, blob, parts, before, call);
    } catch (error) {
      if (!(error instanceof StorageError) || attempts === ATTEMPTS) throw error;
      const changed = error.code === "conflict" || isAzureError(error, "InvalidBlockList");
      if (!changed && !error.retryable) throw error;
    }
    await backOff(attempts, call.signal);
  }
}

export interface Blocks {
  readonly committed: readonly UploadedPart[];
  readonly uncommitted: readonly UploadedPart[];
}

/** The parts that an upload has; undefined when there is no such upload. */
export async function blocksOf(client: AzureClient, blob: string, call: Call): Promise<Blocks | undefined> {
  try {
    const { committedBlocks = [], uncommittedBlocks = [] } = await client.ask(call, (abortSignal) =>
      client.blob(blob).getBlockList("all", { abortSignal }),
    );
    return { committed: partsOf(committedBlocks), uncommitted: partsOf(uncommittedBlocks) };
  } catch (error) {
    if (error instanceof StorageError && error.code === "not-found") return undefined;
    throw error;
  }
}

async function commit(
  client: AzureClient,
  blob: string,
  parts: readonly UploadedPart[],
  { etag: ifMatch, contentType }: BlobStat,
  call: Call,
): Promise<Assembled> {
  const names = parts.map(({ etag }) => blockOf(etag));
  const headers = contentType === undefined ? {} : { blobHTTPHeaders: { blobContentType: contentType } };
  const etag = await client.ask({ ...call, needs: "stage" }, async (abortSignal) => {
    const o = { abortSignal, conditions: { ifMatch }, ...headers };
    const committed = await client.blobOnce(blob).commitBlockList(names, o);
    if (committed.etag === undefined) throw new RangeError("the answer has no ETag");
    return quoted(committed.etag);
  });
  return { etag, contentType, size: parts.reduce((sum, { size }) => sum + size, 0) };
}

function assertOrdered(parts: readonly UploadedPart[], { doing }: Call): void {
  let last = 0;
  for (const { number } of parts) {
    if (!(number > last)) throw new StorageError("invalid", `${doing} failed: part ${number} comes after part ${last}`);
    last = number;
  }
}

function assertThere(wanted: readonly UploadedPart[], there: readonly UploadedPart[], { doing }: Call): void {
  const known = new Map(there.map((part) => [part.etag, part]));
  for (const part of wanted) {
    const found = known.get(part.etag);
    if (found === undefined || !isSamePart(found, part)) {
      throw new StorageError("invalid", `${doing} failed: part ${part.number} is missing, or another than was named`);
    }
  }
}

function isSame(some: readonly UploadedPart[], others: readonly UploadedPart[]): boolean {
  return some.length === others.length && some.every((part, i) => isSamePart(part, others[i]));
}

function isSamePart(part: UploadedPart, other: UploadedPart | undefined): boolean {
  return part.etag === other?.etag && part.number === other.number && part.size === other.size;
}
