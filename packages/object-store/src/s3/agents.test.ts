import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { atEnd } from "../../../../test/support/at-end.ts";
import { agents } from "./agents.ts";

const IDLE = 100;

/** Serves each connection by hand. */
async function serve(t: TestContext, connected: (socket: Socket) => void): Promise<{ url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    connected(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

async function get(t: TestContext, url: string, agent = agentOf(t)): Promise<IncomingMessage> {
  const outgoing = request(url, { agent });
  const answered = once(outgoing, "response");
  // Also when the connection breaks later, which the response tells.
  outgoing.on("error", () => undefined).end();
  const [response] = (await answered) as [IncomingMessage];
  return response;
}

function agentOf(t: TestContext): ReturnType<typeof agents>["httpAgent"] {
  const { httpAgent } = agents(IDLE);
  atEnd(t, () => httpAgent.destroy());
  return httpAgent;
}

test("a store that never answers is given up", async (t) => {
  const { url } = await serve(t, () => undefined);
  await assert.rejects(get(t, url), { code: "STOOD_STILL", message: "nothing came or went for 0.1 seconds" });
});

test("a store that stops in the middle of a body is given up", async (t) => {
  const { url } = await serve(t, (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst"));
  const response = await get(t, url);
  await assert.rejects(response.toArray(), { code: "ECONNRESET" });
});

test("a consumer may take its time", async (t) => {
  const size = 4 * 1024 * 1024;
  const { url } = await serve(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size));
  });
  const response = await get(t, url);
  let read = 0;
  let pauses = 0;
  for await (const chunk of response) {
    read += (chunk as Buffer).length;
    if (read > 1024 * 1024 * pauses && pauses < 3) {
      pauses += 1;
      await delay(3 * IDLE);
    }
  }
  assert.equal(read, size);
  assert.equal(pauses, 3);
});

test("a store that has stopped while a consumer took its time is given up", async (t) => {
  const { url } = await serve(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${1024 * 1024}\r\n\r\n`);
    socket.write(Buffer.alloc(256 * 1024));
  });
  const chunks = (await get(t, url))[Symbol.asyncIterator]();
  await chunks.next();
  await delay(3 * IDLE);
  const rest = async (): Promise<void> => {
    while ((await chunks.next()).done !== true);
  };
  await assert.rejects(Promise.race([rest(), delay(50 * IDLE)]), { code: "ECONNRESET" });
});

test("a connection that the store would have kept for a shorter time is as patient as any other", async (t) => {
  let connections = 0;
  let requests = 0;
  const { url } = await serve(t, (socket) => {
    connections += 1;
    socket.on("data", () => {
      requests += 1;
      // Node takes a second off what the store says.
      const answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 0\r\n\r\n";
      setTimeout(() => socket.write(answer), requests === 1 ? 0 : 1500);
    });
  });
  const { httpAgent } = agents(5000);
  atEnd(t, () => httpAgent.destroy());
  for (let i = 0; i < 2; i++) await (await get(t, url, httpAgent)).toArray();
  assert.equal(connections, 1, "it was used again");
  assert.equal(requests, 2);
});
