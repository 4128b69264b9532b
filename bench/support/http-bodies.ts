import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Action } from "./lfs-api.ts";

const CHUNK_BYTES = 256 * 1024;

/** Sends the parts, one behind the other, as the body of a PUT. @throws Error unless the answer is 200 */
export async function putParts({ href, header }: Action, parts: readonly Uint8Array[]): Promise<void> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const outgoing = request(href, { method: "PUT", headers: { ...header, "Content-Length": size }, agent: false });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  const [[response]] = await Promise.all([answered, pipeline(Readable.from(chunks(parts)), outgoing)]);
  response.resume();
  if (response.statusCode !== 200) throw new Error(`PUT ${href} was answered with ${response.statusCode}`);
}

function* chunks(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const part of parts) {
    for (let start = 0; start < part.length; start += CHUNK_BYTES) yield part.subarray(start, start + CHUNK_BYTES);
  }
}

/** Between two reads of a slow reader, in milliseconds. With reads of up to 64 KiB: some 6 MB a second. */
const PAUSE = 10;

/** Fetches a body, slowly for this many seconds and then as fast as it comes. @throws Error unless it comes complete */
export async function readSlowly({ href, header }: Action, size: number, seconds: number): Promise<void> {
  const outgoing = request(href, { headers: header, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const fastFrom = performance.now() + seconds * 1000;
  let received = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (performance.now() < fastFrom) await delay(PAUSE);
  }
  if (received !== size)
    throw new Error(`GET ${href} gave ${received} of ${size} bytes, status ${response.statusCode}`);
}
