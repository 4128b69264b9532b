import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Answer } from "./http.ts";

/** What came back over a connection, and how it ended. */
export interface Ending {
  readonly text: string;
  /** `ECONNRESET` and the like; undefined when the server closed in order. */
  readonly error: string | undefined;
}

/** Fewer than a listening socket queues, so that none has to be tried twice. */
const AT_ONCE = 250;

/** A connection on which a test says exactly what it wants, HTTP or not. */
export class RawConnection implements Disposable {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<Ending>;

  private constructor(socket: Socket) {
    this.socket = socket;
    let error: string | undefined;
    socket.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on("error", (reason) => {
      error = "code" in reason ? String(reason.code) : reason.message;
    });
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => resolve({ text: this.text, error }));
    });
  }

  /** @throws Error with the code that the system gives, such as `ECONNREFUSED` */
  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  /** {@link open} for any number of them. */
  static async openMany(port: number, count: number): Promise<RawConnection[]> {
    const connections: RawConnection[] = [];
    while (connections.length < count) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - connections.length) }, () => this.open(port));
      connections.push(...(await Promise.all(some)));
    }
    return connections;
  }

  /** Everything that has come so far. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  /** Lines of a request's head; the lines' ends and the empty line are added. */
  head(...lines: readonly string[]): this {
    this.socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    return this;
  }

  write(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** Resolves when what has come matches. @throws when the connection ends before */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      if (this.socket.destroyed) throw new Error(`the connection ended before ${pattern}: ${this.text}`);
      await Promise.race([once(this.socket, "data"), this.#closed]);
    }
    return this.text;
  }

  /** Resolves when the server has closed the connection, however. */
  closed(): Promise<Ending> {
    return this.#closed;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Sends one request on a connection of its own, with `Connection: close`, and gives all that comes back. */
export async function exchange(port: number, lines: readonly string[], body = ""): Promise<string> {
  using connection = await RawConnection.open(port);
  connection.head(...lines, "Connection: close").write(body);
  return (await connection.closed()).text;
}

/** The status of a raw answer. */
export function statusOf(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

/** The one answer that raw text is, its body all that follows the head. */
export function answerIn(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [, ...lines] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: statusOf(text), headers, body: Buffer.from(text.slice(end + 4), "latin1") };
}
