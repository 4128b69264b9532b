import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Serves on a free port of 127.0.0.1 until the test has ended; returns the port. A handler that fails cuts the connection. */
export async function serveHttp(t: TestContext, handler: Handler): Promise<number> {
  const server = createServer((request, response) => {
    handler(request, response).catch((error: unknown) => {
      t.diagnostic(`${request.method} ${request.url}: ${String(error)}`);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}
