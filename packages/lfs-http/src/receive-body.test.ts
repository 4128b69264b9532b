import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as send, type ClientRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { ClientGoneError, RequestBody } from "./receive-body.ts";

/** A request that has come in with its head only, and what its client writes to. */
async function received(t: TestContext, size: number): Promise<{ client: ClientRequest; request: IncomingMessage }> {
  const server = createServer();
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const client = send({ port, method: "PUT", headers: { "Content-Length": size } });
  client.on("error", () => {});
  client.flushHeaders();
  const [request] = (await once(server, "request")) as [IncomingMessage];
  return { client, request };
}

test("a body comes whole, and ends", async (t) => {
  const bytes = Buffer.alloc(1_000_000, "abc");
  const { client, request } = await received(t, bytes.length);
  client.end(bytes);
  assert.ok(Buffer.concat(await Array.fromAsync(new RequestBody(request))).equals(bytes));
});

test("a body whose connection breaks does not end: it throws, whatever has come before", async (t) => {
  const { client, request } = await received(t, 10);
  const body = new RequestBody(request);
  client.write("12345");
  assert.equal((await body.next()).value?.length, 5);
  client.destroy();
  await assert.rejects(body.next(), ClientGoneError);
});

test("a body that is given up leaves the connection open", async (t) => {
  const { client, request } = await received(t, 10);
  const body = new RequestBody(request);
  client.write("12345");
  await body.next();
  await body.return();
  assert.deepEqual(await body.next().catch((error: unknown) => (error as Error).name), "ClientGoneError");
  assert.equal(request.socket.destroyed, false);
});
