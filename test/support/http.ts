import { Agent, request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { Writable } from "node:stream";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Call {
  readonly port: number;
  readonly method: string;
  /** Sent as it is, unlike with `fetch`, which tidies it up first. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** A new connection, which is closed afterwards. Without it, one that is kept for the next call, as clients do. */
  readonly ownConnection?: boolean;
}

const agent = new Agent({ keepAlive: true });

/** One request and its whole answer. */
export async function send(call: Call): Promise<Answer> {
  const outgoing = open(call);
  outgoing.end(call.body);
  return await answerTo(outgoing);
}

/** Begins a request; the body is the caller's to write and to end. */
export function open({ port, method, path, headers, body, ownConnection = false }: Call): ClientRequest {
  return request({
    agent: ownConnection ? false : agent,
    host: "127.0.0.1",
    port,
    method,
    path,
    headers: {
      ...(body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) }),
      ...headers,
    },
  });
}

/** The head of the answer, its body still to be read. @throws the error that broke the connection before */
export async function headOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return incoming;
}

/** @throws the error that broke the connection before the answer was complete */
export async function answerTo(outgoing: ClientRequest): Promise<Answer> {
  const incoming = await headOf(outgoing);
  const body = Buffer.concat(await incoming.toArray());
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body };
}

const MEBIBYTE = Buffer.alloc(1024 * 1024);

/** Sends so many MiB of zeros, as fast as they are taken and without looking at any answer, until nobody takes them. */
export function pour(into: Writable, mebibytes: number): void {
  if (mebibytes <= 0 || into.destroyed) return;
  into.write(MEBIBYTE, () => setImmediate(() => pour(into, mebibytes - 1)));
}
