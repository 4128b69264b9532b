import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Bucket, Buckets } from "./buckets.ts";
import { type Contents, contentsFrom, cut, EMPTY } from "./contents.ts";
import type { S3Request } from "./operations.ts";

/** What a request is done with. */
export interface Call {
  readonly request: S3Request;
  readonly bucket: Bucket;
  /** For copies, whose source may be in another. */
  readonly buckets: Buckets;
  /** The whole body of the request, checked. */
  readonly body: Contents;
  /** How many entries a page of a listing has at most. */
  readonly pageSize: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Contents;
}

export function xmlAnswer(status: number, xml: string, headers: OutgoingHttpHeaders = {}): Answer {
  const body = contentsFrom([Buffer.from(xml)]);
  return { status, headers: { ...headers, "content-type": "application/xml" }, body };
}

/** As fast as the client takes it. @throws Error when the client goes before it has all */
export async function send(
  response: ServerResponse,
  { status, headers = {}, body = EMPTY }: Answer,
  { isHead, breakAfter }: { readonly isHead: boolean; readonly breakAfter?: number | undefined },
): Promise<void> {
  const hasLength = status !== 204 && status !== 304;
  response.writeHead(status, { ...(hasLength ? { "content-length": body.size } : {}), ...headers });
  if (isHead) {
    response.end();
    return;
  }
  if (breakAfter === undefined) return await pipeline(Readable.from(body.chunks), response);
  response.flushHeaders();
  for (const chunk of cut(body, 0, breakAfter).chunks) {
    // Until the operating system has it, or the break would come before what it is to come after.
    await new Promise<void>((resolve, reject) => {
      response.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }
  response.destroy();
}
