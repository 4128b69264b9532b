import { Readable } from "node:stream";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { GetOptions, StoredObject } from "../port.ts";
import { resolveRange } from "../range.ts";
import type { AzureClient, Call } from "./client.ts";
import { isAzureError } from "./errors.ts";
import { lookAt, statOf, type BlobStat } from "./look.ts";
import { ReadBody } from "./read-body.ts";

interface Answer {
  /** Of the whole object. */
  readonly stat: Pick<BlobStat, "size" | "etag" | "modifiedAt">;
  readonly stream: Readable;
}

interface Part {
  readonly start: number;
  /** Undefined: to the end. */
  readonly end?: number | undefined;
  /** Of this version only. */
  readonly etag?: string;
}

/** Opens an object for reading, in one request unless the range is wrong. */
export async function readObject(
  client: AzureClient,
  key: ObjectKey,
  blob: string,
  { range: wanted, signal }: GetOptions,
): Promise<StoredObject> {
  const call: Call = { doing: `reading ${key}`, needs: "read", signal };
  const part = wanted ?? { start: 0 };
  const answer = isRange(part) ? await open(client, call, blob, part) : undefined;
  if (answer === undefined) {
    // Only the size tells what is wrong with the range.
    const stat = await lookAt(client, blob, call);
    if (stat === undefined) throw new StorageError("not-found", `there is no object ${key}`);
    resolveRange(key, stat.size, wanted);
    throw new StorageError("unavailable", `${call.doing} failed: it changed meanwhile`);
  }
  const { stat, stream } = answer;
  try {
    const range = resolveRange(key, stat.size, wanted);
    const end = range.start + range.length - 1;
    const reopen = async (start: number): Promise<Readable> =>
      await reopened(client, call, blob, { start, end, etag: stat.etag });
    return { key, ...stat, range, body: new ReadBody(stream, { client, call, range, open: reopen }) };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

/** Undefined when the range starts after the end. */
async function open(
  client: AzureClient,
  call: Call,
  blob: string,
  { start, end, etag }: Part,
): Promise<Answer | undefined> {
  const count = end === undefined ? undefined : end - start + 1;
  try {
    return await client.ask(call, async (abortSignal) => {
      // What the SDK does when an answer breaks off does not work where the connection is closed: see ReadBody.
      const o = { abortSignal, maxRetryRequests: 0, ...(etag === undefined ? {} : { conditions: { ifMatch: etag } }) };
      const answer = await client.blob(blob).download(start, count, o);
      const { readableStreamBody: stream, contentRange = "", etag: version, lastModified } = answer;
      if (!(stream instanceof Readable)) throw new RangeError("the answer has no body");
      const whole = /\/(\d+)$/.exec(contentRange)?.[1];
      const contentLength = whole === undefined ? answer.contentLength : Number(whole);
      return { stat: statOf({ contentLength, etag: version, lastModified }), stream };
    });
  } catch (error) {
    if (isAzureError(error, "InvalidRange")) return undefined;
    throw error;
  }
}

async function reopened(client: AzureClient, call: Call, blob: string, part: Part): Promise<Readable> {
  try {
    const answer = await open(client, call, blob, part);
    if (answer !== undefined) return answer.stream;
  } catch (error) {
    if (!(error instanceof StorageError) || !["conflict", "not-found"].includes(error.code)) throw error;
  }
  throw new StorageError("unavailable", `${call.doing} broke off, and meanwhile it was replaced or deleted`);
}

function isRange({ start, end }: Part): boolean {
  const fits = (at: number): boolean => Number.isSafeInteger(at) && at >= 0;
  return fits(start) && (end === undefined || (fits(end) && end >= start));
}
