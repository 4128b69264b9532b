import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/**
 * The open connections of a server and what is under way on them. The platform's own account leaves out connections that
 * no request has come in on yet, so those would keep a server from closing.
 */
export class Connections {
  readonly #sockets = new Set<Socket>();
  readonly #requests = new Set<IncomingMessage>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  began(request: IncomingMessage): void {
    this.#requests.add(request);
  }

  ended(request: IncomingMessage): void {
    this.#requests.delete(request);
  }

  /** Closes those on which not one byte has come in. */
  closeUnused(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  /** Closes those on which no request is under way, though one may have begun to come in. */
  closeWithoutRequest(): void {
    const busy = new Set([...this.#requests].map(({ socket }) => socket));
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroy();
  }
}
