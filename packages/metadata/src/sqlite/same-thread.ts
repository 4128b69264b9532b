import { EventEmitter } from "node:events";
import type { Request } from "./messages.ts";
import { WriteConnection } from "./write-connection.ts";
import type { WriterThread } from "./writer.ts";

/**
 * A connection that writes where it is asked to, in the place of a thread: for the migration, before which there is nothing
 * to hold up, and which would wait longer for a thread to begin than it takes. It never waits for others: whoever holds
 * the database may need this very thread to let it go.
 */
export class SameThread extends EventEmitter implements WriterThread {
  readonly #connection: WriteConnection;

  constructor(file: string) {
    super();
    this.#connection = new WriteConnection(file, 0);
  }

  postMessage(request: Request): void {
    const outcomes = this.#connection.handle(request);
    // As from elsewhere: whoever asks is not answered before it listens.
    setImmediate(() => {
      this.emit("message", outcomes);
      if (request.do === "close") setImmediate(() => this.emit("exit", 0));
    });
  }

  /** A thread's, which keeps the process; what is done at once does not have to. */
  ref(): void {}

  unref(): void {}
}
