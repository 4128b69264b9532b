import type { ServerResponse } from "node:http";

/**
 * Sends a body of known length behind headers that are set already, as fast as the client takes it and no faster: the
 * next piece is asked for when the last has left our hands. Ends quietly when the client goes away. A body that fails
 * after the first byte cuts the connection: only so does the client learn that what it has is not all.
 * @throws what the body throws before the first byte, with nothing sent yet
 */
export async function sendBody(
  response: ServerResponse,
  body: AsyncIterable<Uint8Array>,
  length: number,
): Promise<void> {
  const pieces = body[Symbol.asyncIterator]();
  let sent = 0;
  try {
    for (;;) {
      const next = await pieces.next();
      if (next.done === true) break;
      sent += next.value.length;
      // Together with the headers, in one write, where there is one piece only.
      if (sent >= length) {
        response.end(next.value);
        return;
      }
      if (!response.write(next.value)) await drained(response);
      if (response.destroyed) return;
    }
    if (sent < length) throw new Error(`the body ended after ${sent} of ${length} bytes`);
    response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    response.destroy(error instanceof Error ? error : new Error(String(error)));
  } finally {
    await pieces.return?.();
  }
}

/** Resolves when the response takes more, or when it never will. */
function drained(response: ServerResponse): Promise<void> {
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
