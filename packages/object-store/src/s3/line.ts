import type { IncomingMessage, ServerResponse } from "node:http";
import { after, test, type TestContext } from "node:test";
import { atEnd } from "../../../../test/support/at-end.ts";
import { forward } from "../../../../test/support/forward.ts";
import { serveHttp } from "../../../../test/support/http-server.ts";
import { requireService } from "../../../../test/support/require.ts";
import { S3Server } from "../../../../test/support/s3-server.ts";
import { type ConnectOptions, connectS3 } from "./client.ts";
import type { S3Location } from "./options.ts";
import { S3Store } from "./store.ts";

let started: Promise<S3Server> | undefined;
after(async () => await (await started)?.[Symbol.asyncDispose]());

/** A test with a real S3 server, one for all tests of a file; its credentials are those of the environment. */
export function withS3(title: string, story: (t: TestContext, server: S3Server) => Promise<void>): void {
  test(title, async (t) => {
    if ((await requireService(t, "versitygw")) === undefined) return;
    started ??= S3Server.start();
    const server = await started;
    Object.assign(process.env, server.env);
    await story(t, server);
  });
}

/** A request as it passed by. */
export interface Passed {
  readonly operation: string;
  /** How many of the operation there have been, with this one. */
  readonly count: number;
  readonly headers: IncomingMessage["headers"];
}

/** What becomes of a request or its answer. */
export type Fault =
  /** The store answers with this error, and does nothing. */
  | { readonly answer: number; readonly code?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection breaks when so many bytes of the request's body have passed. */
  | { readonly cutAfter: number }
  /** The store does it, and its answer is lost: the connection breaks, or nothing ever comes. */
  | { readonly lose: "break" | "silence" }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly truncateAfter: number }
  /** The answer comes with another body of the same length. */
  | { readonly rewrite: (body: string) => string };

export type Plan = (passed: Passed) => Fault | undefined;

export interface Line {
  readonly store: S3Store;
  readonly location: S3Location;
  /** The operations that have passed by, in their order. */
  readonly operations: () => string[];
  readonly passed: readonly Passed[];
}

export interface LineOptions extends ConnectOptions {
  readonly plan?: Plan;
  readonly location?: Partial<S3Location>;
}

/** A store in a new bucket, all of whose requests pass by here. */
export async function lineTo(t: TestContext, server: S3Server, o: LineOptions = {}): Promise<Line> {
  const { plan = (): undefined => undefined, location: more = {}, ...options } = o;
  const passed: Passed[] = [];
  const over = Promise.withResolvers<void>();
  atEnd(t, () => over.resolve());
  const port = await serveHttp(t, async (incoming, response) => {
    const operation = operationOf(incoming);
    const count = passed.filter((one) => one.operation === operation).length + 1;
    const request = { operation, count, headers: incoming.headers };
    passed.push(request);
    await pass(incoming, response, server.endpoint, plan(request), over.promise);
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const location: S3Location = { kind: "s3", bucket: await server.createBucket(), endpoint, ...more };
  const store = new S3Store(await connectS3(location, options));
  atEnd(t, () => store.close());
  return { store, location, passed, operations: () => passed.map((one) => one.operation) };
}

async function pass(
  incoming: IncomingMessage,
  response: ServerResponse,
  origin: string,
  fault: Fault | undefined,
  over: Promise<void>,
): Promise<void> {
  if (fault !== undefined && "answer" in fault) {
    for await (const _ of incoming);
    const { answer, code, headers = {} } = fault;
    response.writeHead(answer, { "x-amz-request-id": "PLANTED", ...headers });
    const body = `<Error><Code>${code}</Code><Message>planted</Message></Error>`;
    response.end(code === undefined || incoming.method === "HEAD" ? "" : body);
    return;
  }
  const exchange = {
    method: incoming.method ?? "GET",
    path: incoming.url ?? "/",
    range: undefined,
    status: 0,
    uploaded: 0,
    downloaded: 0,
  };
  await forward(incoming, response, origin, exchange, {
    upload: async function* (_, body) {
      if (fault === undefined || !("cutAfter" in fault)) return yield* body;
      yield* firstOf(body, fault.cutAfter);
    },
    download: async function* (_, body) {
      if (fault === undefined) return yield* body;
      if ("truncateAfter" in fault) yield* firstOf(body, fault.truncateAfter);
      if ("rewrite" in fault) {
        yield Buffer.from(fault.rewrite(Buffer.concat(await Array.fromAsync(body)).toString()));
      }
      if (!("lose" in fault)) return;
      if (fault.lose === "silence") await over;
      throw new Error("the answer is lost");
    },
  });
}

async function* firstOf(body: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of body) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) throw new Error("the connection breaks");
  }
}

function operationOf({ method, url = "", headers }: IncomingMessage): string {
  const { pathname, searchParams: query } = new URL(url, "http://host");
  const copies = headers["x-amz-copy-source"] !== undefined;
  const inBucket = /^\/[^/]+\/?$/.test(pathname);
  switch (method) {
    case "HEAD":
      return "HeadObject";
    case "GET":
      if (query.has("uploadId")) return "ListParts";
      if (query.has("uploads")) return "ListMultipartUploads";
      return inBucket ? "ListObjectsV2" : "GetObject";
    case "PUT":
      if (query.has("partNumber")) return copies ? "UploadPartCopy" : "UploadPart";
      return copies ? "CopyObject" : "PutObject";
    case "POST":
      return query.has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
    case "DELETE":
      return query.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    default:
      return `${method} ${url}`;
  }
}
