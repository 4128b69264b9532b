import type { BlockBlobClient, BlockBlobUploadOptions } from "@azure/storage-blob";
import { StorageError } from "../errors.ts";
import { backOff, type AzureClient, type Call } from "./client.ts";
import { isAzureError } from "./errors.ts";
import { lookAt, PUT_ID, quoted, type BlobStat } from "./look.ts";

const ATTEMPTS = 4;
/** No attempt begins later than this after the first, in milliseconds: a service that is slow to fail is not asked four times. */
const PATIENCE = 30_000;

/** An object that is about to appear under its name. */
export interface Publication extends Call {
  readonly blob: string;
  /** Of this put, and no other; the object carries it. */
  readonly id: string;
  readonly ifAbsent?: boolean | undefined;
  readonly ifMatch?: string | undefined;
  readonly contentType?: string | undefined;
}

/** What the publishing request is sent with. */
type PublishOptions = Pick<
  BlockBlobUploadOptions,
  "abortSignal" | "blobHTTPHeaders" | "conditions" | "metadata" | "tier"
>;

type Send = (blob: BlockBlobClient, o: PublishOptions) => Promise<{ readonly etag?: string }>;

/**
 * Sends the request that makes an object visible, and tells its own success from another's. A request with a condition
 * is not simply sent again when its answer is lost: the second one would fail because the first has succeeded. So the
 * object that is there is looked at, whether it carries our id.
 * @returns the etag
 * @throws StorageError `conflict` when the condition decides against it; `unavailable` and uncertain when nothing can be
 *   found out
 */
export async function publish(client: AzureClient, publication: Publication, send: Send): Promise<string> {
  const { blob, ifAbsent, ifMatch } = publication;
  if (ifAbsent !== true && ifMatch === undefined) return await attempt(client, publication, client.blob(blob), send);
  const begun = Date.now();
  let doubt = false;
  for (let attempts = 1; ; attempts += 1) {
    const failure = await attempt(client, publication, client.blobOnce(blob), send).catch(storageError);
    if (typeof failure === "string") return failure;
    doubt ||= failure.uncertain;
    const blocksGone = isAzureError(failure, "InvalidBlockList");
    // A plain answer to the only request there was leaves no questions.
    if (!doubt && !blocksGone && failure.code !== "throttled") throw failure;

    const there = await whatIsThere(client, publication);
    if (there !== "unknown") {
      if (there?.putId === publication.id) return there.etag;
      if (isDecided(publication, there)) throw overtaken(publication, failure);
    }
    const again = !blocksGone && (failure.retryable || failure.code === "conflict");
    const last = attempts === ATTEMPTS || Date.now() - begun > PATIENCE;
    if (!again || last) throw doubt ? unsettled(publication, failure) : failure;
    await backOff(attempts, publication.signal);
  }
}

async function attempt(
  client: AzureClient,
  publication: Publication,
  blob: BlockBlobClient,
  send: Send,
): Promise<string> {
  const { id, ifAbsent, ifMatch, contentType } = publication;
  const o: PublishOptions = {
    metadata: { [PUT_ID]: id },
    conditions: {
      ...(ifAbsent === true ? { ifNoneMatch: "*" } : {}),
      ...(ifMatch === undefined ? {} : { ifMatch: quoted(ifMatch) }),
    },
    ...(contentType === undefined ? {} : { blobHTTPHeaders: { blobContentType: contentType } }),
    ...(client.accessTier === undefined ? {} : { tier: client.accessTier }),
  };
  return await client.ask(publication, async (abortSignal) => {
    const { etag } = await send(blob, { ...o, abortSignal });
    if (etag === undefined) throw new RangeError("the answer has no ETag");
    return quoted(etag);
  });
}

async function whatIsThere(
  client: AzureClient,
  { blob, doing, signal }: Publication,
): Promise<BlobStat | "unknown" | undefined> {
  try {
    return await lookAt(client, blob, { doing, signal, needs: "read" });
  } catch (error) {
    storageError(error);
    return "unknown";
  }
}

function isDecided({ ifAbsent, ifMatch }: Publication, there: BlobStat | undefined): boolean {
  return (ifAbsent === true && there !== undefined) || (ifMatch !== undefined && there?.etag !== quoted(ifMatch));
}

function overtaken({ doing, ifAbsent }: Publication, cause: StorageError): StorageError {
  const what = ifAbsent === true ? "another has created it" : "it is another version by now: read it again";
  return new StorageError("conflict", `${doing} came too late: ${what}`, { cause });
}

function unsettled({ doing }: Publication, cause: StorageError): StorageError {
  return new StorageError("unavailable", `${doing} may have succeeded or not: no answer says (${cause.message})`, {
    cause,
    uncertain: true,
  });
}

function storageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  throw error;
}
