import assert from "node:assert/strict";
import { test } from "node:test";
import { seededBytes, sha256 } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import { answerTo, headOf, open } from "../support/http.ts";
import { RawConnection, statusOf } from "../support/raw-connection.ts";
import { WireServer } from "./support/wire-server.ts";

const BYTES = seededBytes(1, 20_000_000);
const OID = sha256(BYTES);
const LONG = 60_000;

test("an upload that is under way when the server is told to stop is finished", async () => {
  await using server = await WireServer.start({ store: "fs" });
  const path = await server.as().target("app", "upload", { oid: OID, size: BYTES.length });
  const outgoing = open({
    port: server.port,
    method: "PUT",
    path,
    headers: { "Content-Length": String(BYTES.length) },
  });
  const answered = answerTo(outgoing);
  await new Promise((written) => outgoing.write(BYTES.subarray(0, 5_000_000), written));

  const drained = server.server.drain(LONG);
  outgoing.end(BYTES.subarray(5_000_000));

  assert.equal((await answered).status, 200);
  assert.equal(await drained, true);
  assert.equal((await server.stored()).length, 1);
});

test("a download that is under way when the server is told to stop is finished", async () => {
  await using server = await WireServer.start();
  await server.as().upload("app", BYTES);
  const path = await server.as().target("app", "download", { oid: OID });
  const incoming = await headOf(open({ port: server.port, method: "GET", path }).end());

  const drained = server.server.drain(LONG);

  assert.ok(Buffer.concat(await incoming.toArray()).equals(BYTES));
  assert.equal(await drained, true);
});

test("connections that nothing happens on are closed at once, and no new ones are taken", async () => {
  await using server = await WireServer.start();
  const connections = await Promise.all([RawConnection.open(server.port), RawConnection.open(server.port)]);
  const [used, fresh] = connections;
  used.head("GET /healthz HTTP/1.1", "Host: x");
  await used.until(/"ok"/);

  assert.equal(await server.server.drain(LONG), true);

  for (const connection of [used, fresh]) assert.equal((await connection.closed()).error, undefined);
  await assert.rejects(RawConnection.open(server.port), { code: "ECONNREFUSED" });
});

/** Requests that have only begun to arrive when the server is told to stop, and what becomes of them. */
const LATE: ReadonlyArray<readonly [what: string, method: string, path: string, status: number]> = [
  ["a batch", "POST", "/app/objects/batch", 429],
  ["a lock check", "POST", "/app/locks/verify", 429],
  ["a list of locks", "GET", "/app/locks", 429],
  ["a download", "GET", `/app/objects/${OID}`, 429],
  ["an upload", "PUT", `/app/objects/${OID}`, 429],
  ["a question of whether it is ready", "GET", "/readyz", 503],
  ["a question of whether it is alive", "GET", "/healthz", 200],
];

for (const [what, method, path, status] of LATE) {
  test(`${what} that comes while the server is stopping is ${status}, and its connection is closed`, async () => {
    await using server = await WireServer.start();
    const body = method === "GET" ? "" : "x".repeat(3_000_000);
    using connection = await RawConnection.open(server.port);
    connection.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\n`);
    // So that the first line has arrived: lines of a connection and connections keep their order.
    await server.as().get("healthz");

    const drained = server.server.drain(LONG);
    connection.head(`Content-Length: ${body.length}`).write(body);

    const { text, error } = await connection.closed();
    assert.equal(error, undefined, "closed in order");
    assert.equal(statusOf(text), status, text);
    if (status === 429) {
      assert.match(text, /\r\nretry-after: [1-9]\d*\r\n/i, "clients up to 3.5 crash without it");
      assert.match(text, /\r\nconnection: close\r\n/i);
      assert.match(text, /"message":"the server is shutting down/);
    }
    assert.equal(await drained, true);
    assert.deepEqual(await server.stored(), []);
  });
}

test("a request that does not come to its end holds the server up no longer than its headers may take", async () => {
  await using server = await WireServer.start({ limits: { headersTimeout: 300 } });
  using connection = await RawConnection.open(server.port);
  connection.write("GET /healthz HTTP/1.1\r\n");
  await server.as().get("healthz");

  assert.equal(await server.server.drain(LONG), true);

  await connection.closed();
});

test("what is still under way when the time is over is cut and leaves nothing", async () => {
  await using server = await WireServer.start({ store: "fs" });
  const user = server.as();
  const other = seededBytes(2, 20_000_000);
  await user.upload("app", other);
  const put = await user.target("app", "upload", { oid: OID, size: BYTES.length });
  const get = await user.target("app", "download", { oid: sha256(other) });
  using sender = await RawConnection.open(server.port);
  sender.head(`PUT ${put} HTTP/1.1`, "Host: x", `Content-Length: ${BYTES.length}`).write(BYTES.subarray(0, 5_000_000));
  using reader = await RawConnection.open(server.port);
  reader.head(`GET ${get} HTTP/1.1`, "Host: x");
  await reader.until(/\r\n\r\n/);
  reader.socket.pause();

  assert.equal(await server.server.drain(100), false);

  await sender.closed();
  await eventually("only what was there is left", async () => (await server.files()).length === 1);
});
