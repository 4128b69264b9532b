import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Exchange } from "./exchange.ts";

export interface Head {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  /** Of the body, in bytes. */
  readonly length: number;
}

/**
 * Answers with a body of known length whose chunks are lent: the next piece is asked for when the kernel has taken the
 * last, so as fast as the client reads and no faster. Ends quietly when the client goes away. A body that fails once the
 * answer has begun cuts the connection: only so does the client learn that what it has is not all.
 * @throws what the body throws before its first piece, with nothing sent yet
 */
export async function sendBody(exchange: Exchange, head: Head, body: AsyncIterable<Uint8Array>): Promise<void> {
  const pieces = body[Symbol.asyncIterator]();
  try {
    const { response } = exchange;
    let next = await pieces.next();
    response.writeHead(head.status, head.headers);
    try {
      let sent = 0;
      while (next.done !== true && !response.destroyed) {
        sent += next.value.length;
        // Together with the headers, in one write, where there is one piece only.
        if (sent >= head.length) return await end(response, next.value);
        await write(response, next.value);
        next = await pieces.next();
      }
      if (sent < head.length && !response.destroyed) {
        throw new Error(`the body ended after ${sent} of ${head.length} bytes`);
      }
      response.end();
    } catch (error) {
      exchange.logError(error, "an answer was cut short: its bytes could not be read");
      response.destroy();
    }
  } finally {
    await pieces.return?.();
  }
}

/** Resolves when the bytes have left this process, or nobody is there any more to get them: they are of no more use. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    // The platform drops the callback of a write whose connection breaks.
    const done = (): void => {
      response.off("close", done);
      resolve();
    };
    response.on("close", done);
    response.write(bytes, done);
  });
}

/** As {@link write}, for the last bytes: an answer that has left is closed. */
function end(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    response.on("close", resolve);
    response.end(bytes);
  });
}
