import { StorageError } from "../errors.ts";
import type { AzureClient, Call } from "./client.ts";

/** What is known of a blob without reading it. */
export interface BlobStat {
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly contentType: string | undefined;
  /** Of the put that stored it. */
  readonly putId: string | undefined;
}

/** The user metadata that carries the id of a put. Azure's names are those of C#, which have no hyphens. */
export const PUT_ID = "holdallput";

/** Undefined when there is no such blob; blocks that were not committed are none. */
export async function lookAt(client: AzureClient, blob: string, call: Call): Promise<BlobStat | undefined> {
  try {
    return await client.ask(call, async (abortSignal) => {
      const found = await client.blob(blob).getProperties({ abortSignal });
      return { ...statOf(found), contentType: found.contentType, putId: found.metadata?.[PUT_ID] };
    });
  } catch (error) {
    if (error instanceof StorageError && error.code === "not-found") return undefined;
    throw error;
  }
}

interface Properties {
  readonly contentLength?: number | undefined;
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
}

/** @throws RangeError when the answer lacks what every answer of Azure has */
export function statOf({
  contentLength,
  etag,
  lastModified,
}: Properties): Pick<BlobStat, "size" | "etag" | "modifiedAt"> {
  if (contentLength === undefined || etag === undefined || lastModified === undefined) {
    throw new RangeError("the answer has no Content-Length, ETag or Last-Modified");
  }
  return { size: contentLength, etag: quoted(etag), modifiedAt: lastModified };
}

/** The form of headers: listings leave the quotes out. Azure refuses what has no quotes instead of finding it different. */
export function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}
