import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

export interface Head {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  /** Of the body, in bytes. */
  readonly length: number;
}

/**
 * Answers with a body of known length, as fast as the client takes it and no faster: the next piece is asked for when
 * the last has left our hands. Ends quietly when the client goes away. A body that fails once the answer has begun cuts
 * the connection: only so does the client learn that what it has is not all.
 * @throws what the body throws before its first piece, with nothing sent yet
 */
export async function sendBody(reply: FastifyReply, head: Head, body: AsyncIterable<Uint8Array>): Promise<void> {
  const pieces = body[Symbol.asyncIterator]();
  try {
    let next = await pieces.next();
    reply.hijack();
    const response = reply.raw;
    response.writeHead(head.status, head.headers);
    try {
      let sent = 0;
      while (next.done !== true && !response.destroyed) {
        sent += next.value.length;
        // Together with the headers, in one write, where there is one piece only.
        if (sent >= head.length) return void response.end(next.value);
        if (!response.write(next.value)) await drained(response);
        next = await pieces.next();
      }
      if (sent < head.length && !response.destroyed) {
        throw new Error(`the body ended after ${sent} of ${head.length} bytes`);
      }
      response.end();
    } catch (error) {
      reply.log.error({ err: error }, "an answer was cut short: its bytes could not be read");
      response.destroy();
    }
  } finally {
    await pieces.return?.();
  }
}

/** Resolves when the response takes more, or when it never will. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
