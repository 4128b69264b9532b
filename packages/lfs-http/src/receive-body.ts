import type { IncomingMessage } from "node:http";

/** The client went away in the middle of its body. Nobody is left to be told. */
export class ClientGoneError extends Error {
  override readonly name = "ClientGoneError";
}

/** So much of a body may have come in before anybody asks for it, in bytes, and a chunk more. */
const READ_AHEAD = 64 * 1024;

/**
 * The body of a request, chunk by chunk as it comes, and no faster than it is asked for. Unlike iterating the request
 * itself, stopping early leaves the connection open, so that the client can still be told why; it also neither copies
 * chunks together nor costs more than a small object does.
 * @throws ClientGoneError (`next`) when the connection breaks before the end
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #request: IncomingMessage;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #begun = false;
  #over = false;
  #cause: unknown;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#begun) this.#begin();
    while (this.#chunks.length === 0 && !this.#over) {
      if (this.#request.isPaused()) this.#request.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#bytes -= chunk.length;
      return { done: false, value: chunk };
    }
    // A connection that closes at once after a partial body ends the stream without an error.
    if (this.#request.complete) return { done: true, value: undefined };
    throw new ClientGoneError("the connection closed before the body was complete", { cause: this.#cause });
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#begun && !this.#over) {
      this.#end();
      this.#request.pause();
    }
    this.#begun = true;
    this.#over = true;
    this.#chunks = [];
    return { done: true, value: undefined };
  }

  #begin(): void {
    this.#begun = true;
    const request = this.#request;
    if (request.destroyed || request.readableEnded) {
      this.#over = true;
      return;
    }
    request.on("end", this.#end);
    request.on("close", this.#end);
    request.on("error", this.#fail);
    request.on("data", this.#take);
  }

  readonly #take = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > READ_AHEAD) this.#request.pause();
    this.#wake?.();
  };

  readonly #fail = (error: Error): void => {
    this.#cause = error;
    this.#end();
  };

  readonly #end = (): void => {
    this.#over = true;
    const request = this.#request;
    request.off("data", this.#take);
    request.off("end", this.#end);
    request.off("close", this.#end);
    // The error listener stays: what breaks afterwards is nobody's failure.
    this.#wake?.();
  };
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
