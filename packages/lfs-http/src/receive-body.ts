import type { IncomingMessage } from "node:http";

/** The client went away in the middle of its body. Nobody is left to be told. */
export class ClientGoneError extends Error {
  override readonly name = "ClientGoneError";
}

/**
 * The body of a request, as it comes. Unlike iterating the request itself, stopping early leaves the connection open, so
 * that the client can still be told why.
 * @throws ClientGoneError when the connection breaks before the end
 */
export async function* receiveBody(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new ClientGoneError("the connection broke before the body was complete", { cause });
  }
  // A connection that closes at once after a partial body ends the stream without an error.
  if (!request.complete) throw new ClientGoneError("the connection closed before the body was complete");
}

/** How much of a refused body is still taken, and for how long, so that its sender gets to read the refusal. */
const LINGER_BYTES = 32 * 1024 * 1024;
const LINGER_MS = 10_000;

/**
 * Reads and forgets what is left of a body that is refused; past the limits the connection is cut.
 * @param done called at the end of the body
 */
export function discardBody(request: IncomingMessage, done: () => void): void {
  const { socket } = request;
  let left = LINGER_BYTES;
  const cut = (): void => {
    socket.destroy();
  };
  const timer = setTimeout(cut, LINGER_MS);
  // A request that has been answered is not told when its connection closes.
  const closed = (): void => clearTimeout(timer);
  socket.once("close", closed);
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) cut();
  });
  request.once("end", () => {
    clearTimeout(timer);
    socket.off("close", closed);
    done();
  });
  request.resume();
}
