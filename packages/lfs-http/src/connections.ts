import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Exchange } from "./exchange.ts";

/**
 * The open connections of a server and what is under way on them. The platform's own account leaves out connections that
 * no request has come in on yet, so those would keep a server from closing.
 */
export class Connections {
  readonly #sockets = new Set<Socket>();
  readonly #exchanges = new Set<Exchange>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  began(exchange: Exchange): void {
    this.#exchanges.add(exchange);
  }

  ended(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
  }

  /** What is under way on the connection; of several requests there, the one whose answer is next. */
  exchangeOn(socket: Socket): Exchange | undefined {
    return this.#exchanges.values().find(({ request }) => request.socket === socket);
  }

  /** Closes those on which not one byte has come in. */
  closeUnused(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  /** Closes those on which no request is under way, though one may have begun to come in. */
  closeWithoutRequest(): void {
    const busy = new Set([...this.#exchanges].map(({ request }) => request.socket));
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroy();
  }
}
