import { StorageError } from "../errors.ts";
import { partSizeFor, sendParts } from "../parts.ts";
import type { PutOptions } from "../port.ts";
import type { AzureClient } from "./client.ts";
import { isAzureError } from "./errors.ts";
import { lookAt } from "./look.ts";
import { publish, type Publication } from "./publish.ts";

export const MAX_BLOCKS = 50_000;
/** Bytes. */
export const MAX_BLOCK_SIZE: number = 4000 * 1024 * 1024;

/**
 * The name of a block. All names of a blob's blocks must be of one length, and those of two puts at once must differ, as
 * they lie in one place until one of them is committed.
 */
export function blockName(putId: string, number: number): string {
  return Buffer.from(`${putId}-${String(number).padStart(6, "0")}`).toString("base64");
}

/** Sends a body in blocks, several at once, and publishes them when it has ended. @returns the etag */
export async function putBlocks(
  client: AzureClient,
  publication: Publication,
  body: AsyncIterable<Uint8Array>,
  { size, handOver }: Pick<PutOptions, "size" | "handOver">,
): Promise<string> {
  if (!(size <= MAX_BLOCKS * MAX_BLOCK_SIZE)) {
    throw new StorageError("invalid", `${size} bytes are more than Azure takes: ${MAX_BLOCKS * MAX_BLOCK_SIZE}`);
  }
  const { blob, id, doing, signal } = publication;
  const send = async (part: Uint8Array, number: number, stop: AbortSignal): Promise<string> => {
    const name = blockName(id, number);
    const ended = signal === undefined ? stop : AbortSignal.any([stop, signal]);
    await client.ask({ doing, needs: "stage", signal: ended, bytes: part.length }, (abortSignal) =>
      client.blob(blob).stageBlock(name, part, part.length, { abortSignal }),
    );
    return name;
  };
  const names = await sendParts(body, partSizeFor(size, { most: MAX_BLOCKS }), send, { handOver });
  try {
    return await publishBlocks(client, publication, names);
  } catch (error) {
    if (isAzureError(error, "InvalidBlockList")) return await overtakenEtag(client, publication, error);
    throw error;
  }
}

/** @throws AzureError `InvalidBlockList` when blocks are gone, because something else was published under the name */
export async function publishBlocks(
  client: AzureClient,
  publication: Publication,
  names: readonly string[],
): Promise<string> {
  return await publish(client, publication, (blob, o) => blob.commitBlockList([...names], o));
}

/**
 * Whatever is published under a name discards the blocks that wait there for another. To everyone who looks that is the
 * same as if ours had been published just before it: so a put without conditions has succeeded, and what it stored is
 * replaced. Its etag is one that no object has or will ever have.
 */
async function overtakenEtag(client: AzureClient, publication: Publication, cause: StorageError): Promise<string> {
  const { blob, id, doing, signal, ifAbsent, ifMatch } = publication;
  const conditional = ifAbsent === true || ifMatch !== undefined;
  if (!conditional && (await lookAt(client, blob, { doing, signal, needs: "read" })) !== undefined) {
    return `"replaced-${id}"`;
  }
  throw new StorageError("unavailable", `${doing} failed: its parts are gone, as something else was done to it`, {
    cause,
  });
}
