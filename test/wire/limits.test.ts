import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ListLocksResponse, type ErrorResponse } from "@holdall/lfs-protocol";
import { FaultyLayer } from "@holdall/object-store";
import { seededBytes, sha256 } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import { headOf, open } from "../support/http.ts";
import { message, refusal } from "../support/messages.ts";
import { answerIn, RawConnection } from "../support/raw-connection.ts";
import { Server } from "../support/server.ts";
import { WireServer } from "./support/wire-server.ts";

/** Milliseconds; every time-out here is this short. */
const SHORT = 300;
/** What trickles comes this often. */
const TRICKLE = 50;

test("headers that are too large are 431, in the form of every error", async () => {
  await using server = await WireServer.start({ limits: { headerBytes: 4096 } });
  const user = server.as();

  assert.equal((await user.request("GET", "/healthz", { headers: { "X-Long": "x".repeat(3000) } })).status, 200);

  for (const head of [
    [`X-Long: ${"x".repeat(5000)}`],
    Array.from({ length: 300 }, (_, n) => `X-${n}: ${"x".repeat(20)}`),
  ]) {
    using connection = await RawConnection.open(server.port);
    connection.head("GET /healthz HTTP/1.1", "Host: x", ...head);
    const { text } = await connection.closed();
    const { message: said } = await unread(server, 431, text);
    assert.match(said, /^the headers/);
  }
});

test("a URL that is too long is 414, and one of just that length is not", async () => {
  await using server = await WireServer.start({ limits: { urlBytes: 600 } });
  const user = server.as();
  const padded = (length: number): string => "/app/locks?path=".padEnd(length, "x");
  await user.lock("app", "a file");

  assert.equal((await user.request("GET", padded(600))).status, 200);
  const { message: said } = refusal(414, await user.request("GET", padded(601)));
  assert.match(said, /600/);
  // Also where there is nothing to be found by it.
  refusal(414, await user.request("GET", `/${"x".repeat(600)}`));
  refusal(414, await user.request("GET", `/${"x".repeat(600)}/locks`));
  // What counts is what the client sent, in which a space is three characters.
  const spaces = `${"a%20".repeat(40)}a/${"b%20".repeat(40)}b/${"c%20".repeat(40)}c`;
  await user.lock(spaces, "a file");
});

test("what is no HTTP is 400, in the form of every error", async () => {
  await using server = await WireServer.start();
  for (const text of [
    "hello\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /a b HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
  ]) {
    using connection = await RawConnection.open(server.port);
    connection.write(text);
    const { message: said } = await unread(server, 400, (await connection.closed()).text);
    assert.equal(said, "the request is not valid HTTP");
  }
});

test("headers that do not come to an end in time are 408 and the connection is closed, even if they trickle", async () => {
  await using server = await WireServer.start({ limits: { headersTimeout: SHORT } });
  using silent = await RawConnection.open(server.port);
  using stalled = await RawConnection.open(server.port);
  stalled.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");
  using trickling = await RawConnection.open(server.port);
  trickling.write("GET /healthz HTTP/1.1\r\n");
  void trickle(trickling, "X: y\r\n");

  for (const connection of [stalled, trickling]) await unread(server, 408, (await connection.closed()).text);
  assert.equal((await silent.closed()).text, "", "nobody has asked anything");
});

test("a body that is no HTTP is 400 with the id of its request, which has its one line in the log", async () => {
  await using server = await WireServer.start();
  const path = await server.as().target("app", "upload", { oid: "a".repeat(64), size: 100 });
  using connection = await RawConnection.open(server.port);

  connection.head(`PUT ${path} HTTP/1.1`, "Host: x", "Transfer-Encoding: chunked").write("what is no chunk\r\n");

  const { request_id: id } = refusal(400, answerIn((await connection.closed()).text));
  const [line, ...others] = await linesOf(server, id);
  assert.deepEqual([line?.["method"], line?.["status"], others], ["PUT", 400, []]);
});

test("what is no HTTP behind a request whose answer is under way gets no answer in the middle of it", async () => {
  const never = new Promise(() => {});
  await using server = await WireServer.start({
    layer: (store) =>
      new FaultyLayer(store, (call) =>
        call === "get" ? { call, moment: { at: "body", bytes: 1 }, error: never } : undefined,
      ),
  });
  const oid = await server.place("app", seededBytes(1, 3_000_000));
  const path = await server.as().target("app", "download", { oid });
  using connection = await RawConnection.open(server.port);
  connection.head(`GET ${path} HTTP/1.1`, "Host: x");
  await connection.until(/^HTTP\/1\.1 200 /);

  connection.write("what is no request\r\n\r\n");

  assert.doesNotMatch((await connection.closed()).text, /not valid HTTP/);
});

test("an Expect that the server does not know is 417, in the form of every error", async () => {
  await using server = await WireServer.start();
  for (const [method, path] of [
    ["PUT", `/app/objects/${"a".repeat(64)}`],
    ["GET", "/healthz"],
    ["POST", "/app/objects/batch"],
  ] as const) {
    const answer = await server.as().request(method, path, { headers: { Expect: "the unexpected" } });

    const { message: said, request_id: id } = refusal(417, answer);
    assert.match(said, /100-continue/);
    assert.equal((await linesOf(server, id)).length, 1);
  }
});

test("a connection on which nothing moves is cut in the middle of an upload, and nothing is stored", async () => {
  await using server = await WireServer.start({ limits: { idleTimeout: SHORT } });
  const path = await server.as().target("app", "upload", { oid: "a".repeat(64), size: 100 });
  using connection = await RawConnection.open(server.port);

  connection.head(`PUT ${path} HTTP/1.1`, "Host: x", "Content-Length: 100").write("x");
  await connection.closed();

  assert.deepEqual(await server.stored(), []);
});

test("a connection on which nothing moves is cut in the middle of a download", async () => {
  await using server = await WireServer.start({ limits: { idleTimeout: SHORT } });
  const bytes = seededBytes(1, 30_000_000);
  const path = await server.as().target("app", "download", { oid: await server.place("app", bytes) });
  const incoming = await headOf(open({ port: server.port, method: "GET", path }).end());

  // Nobody reads.
  await eventually("the server has given up", () =>
    server.log.some((line) => line.includes("closed before the answer was complete")),
  );

  await assert.rejects(incoming.toArray(), { code: "ECONNRESET" });
});

test("an upload may take as long as it likes, as long as it moves", async () => {
  await using server = await WireServer.start({
    limits: { idleTimeout: 10_000, headersTimeout: SHORT, jsonBodyTimeout: SHORT, keepAliveTimeout: SHORT },
  });
  const bytes = seededBytes(1, 40);
  const path = await server.as().target("app", "upload", { oid: sha256(bytes), size: 40 });
  const outgoing = open({ port: server.port, method: "PUT", path, headers: { "Content-Length": "40" } });
  const answered = headOf(outgoing);
  for (const byte of bytes) {
    outgoing.write(Buffer.of(byte));
    await sleep(TRICKLE);
  }
  outgoing.end();

  assert.equal((await answered).statusCode, 200);
});

test("a download may take as long as it likes", async () => {
  await using server = await WireServer.start({
    limits: { headersTimeout: SHORT, jsonBodyTimeout: SHORT, keepAliveTimeout: SHORT },
  });
  const bytes = seededBytes(2, 30_000_000);
  const path = await server.as().target("app", "download", { oid: await server.place("app", bytes) });
  const incoming = await headOf(open({ port: server.port, method: "GET", path }).end());

  const pieces: Uint8Array[] = [];
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    pieces.push(piece);
    // For a while by sips, then all.
    if (pieces.length * TRICKLE < 3 * SHORT) await sleep(TRICKLE);
  }

  assert.ok(Buffer.concat(pieces).equals(bytes));
});

test("a body of JSON that trickles is 408 after its time, whatever the pace", async () => {
  await using server = await WireServer.start({ limits: { jsonBodyTimeout: SHORT } });
  using connection = await RawConnection.open(server.port);
  const begun = Date.now();

  connection.head(
    "POST /app/objects/batch HTTP/1.1",
    "Host: x",
    "Content-Type: application/json",
    "Content-Length: 1000000",
  );
  void trickle(connection, " ");
  const text = await connection.until(/\}$/);

  assert.ok(Date.now() - begun >= SHORT - TRICKLE);
  const { request_id: id } = refusal(408, answerIn(text));
  assert.equal((await linesOf(server, id)).length, 1);
});

test("by default a body of JSON has a minute", { timeout: 30_000 }, async (t) => {
  await using server = await WireServer.start();
  const body = JSON.stringify({ operation: "upload", objects: [] });
  const begin = async (): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port);
    connection.head(
      "POST /app/objects/batch HTTP/1.1",
      "Host: x",
      `Content-Length: ${body.length}`,
      // The answer shows that the server has begun to count.
      "Expect: 100-continue",
    );
    await connection.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    return connection;
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
  using inTime = await begin();
  using late = await begin();

  t.mock.timers.tick(59_999);
  inTime.write(body);
  assert.match(await inTime.until(/\}$/), /\r\nHTTP\/1\.1 200 /);

  t.mock.timers.tick(1);
  assert.match(await late.until(/\}$/), /\r\nHTTP\/1\.1 408 .*60 s/s);
  t.mock.timers.reset();
});

test("a connection stays open between requests for the time that the server says, and is then closed in order", async () => {
  await using server = await WireServer.start({ limits: { keepAliveTimeout: 1000 } });
  using connection = await RawConnection.open(server.port);

  connection.head("GET /healthz HTTP/1.1", "Host: x");
  assert.match(await connection.until(/"ok"/), /\r\nKeep-Alive: timeout=1\r\n/);

  assert.equal((await connection.closed()).error, undefined);
});

test("by default clients are told to keep connections for more than a minute, so that the server is not the first to close", async (t) => {
  const server = await Server.start(t);

  const { headers } = await server.user().get("healthz");

  assert.ok(Number(/timeout=(\d+)/.exec(String(headers["keep-alive"]))?.[1]) >= 65);
});

test("by default whatever can be locked can be looked up, which takes a URL with its name and path", async (t) => {
  const user = (await Server.start(t)).user();
  // The longest of both, of characters whose bytes are percent-encoded.
  const repository = encodeURI(Array.from({ length: 5 }, () => "ö".repeat(100)).join("/"));
  const lock = await user.lock(repository, "ö".repeat(2048));

  const query = new URLSearchParams({ path: lock.path, refspec: `refs/heads/${"ö".repeat(100)}` });
  const path = `/${repository}.git/info/lfs/locks?${query.toString()}`;
  // Beside what else clients and proxies send.
  const answer = await user.request("GET", path, { headers: { Cookie: "x".repeat(8000) } });

  assert.deepEqual(message(ListLocksResponse, 200, answer).locks, [lock]);
});

test("hundreds of idle and half-open connections keep nobody from being served", async () => {
  await using server = await WireServer.start();
  const connections = await RawConnection.openMany(server.port, 300);
  for (const [n, connection] of connections.entries())
    if (n % 2 === 0) connection.write("POST /app/objects/batch HTTP/1.1\r\n");

  const bytes = seededBytes(1, 1_000_000);
  const oid = await server.as().upload("app", bytes);

  assert.ok((await server.as().download("app", { oid })).body.equals(bytes));
  for (const connection of connections) connection.socket.destroy();
});

test("connections over the limit are not taken, and those within it are served", async () => {
  await using server = await WireServer.start({ limits: { maxConnections: 2 } });
  using first = await RawConnection.open(server.port);
  using second = await RawConnection.open(server.port);
  first.head("GET /healthz HTTP/1.1", "Host: x");
  await first.until(/"ok"/);
  using third = await RawConnection.open(server.port);

  third.head("GET /healthz HTTP/1.1", "Host: x");
  assert.equal((await third.closed()).text, "");

  second.head("GET /healthz HTTP/1.1", "Host: x");
  await second.until(/"ok"/);
});

/** The error in the answer to what could not be read as a request, which has one line in the log. */
async function unread(server: WireServer, status: number, text: string): Promise<Required<ErrorResponse>> {
  const error = refusal(status, answerIn(text));
  const [line, ...others] = await linesOf(server, error.request_id);
  assert.deepEqual([line?.["status"], line?.["ip"], others], [status, "127.0.0.1", []]);
  assert.match(String(line?.["msg"]), /before its method and path could be read/);
  return error;
}

/** What the log says of a request. */
async function linesOf(server: WireServer, requestId: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const found = (): string[] => server.log.filter((line) => line.includes(`"${requestId}"`));
  await eventually("it is logged", () => found().length > 0);
  return found().map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Sends the text again and again for as long as the server takes it. */
async function trickle(connection: RawConnection, text: string): Promise<void> {
  while (!connection.socket.destroyed) {
    connection.write(text);
    await sleep(TRICKLE);
  }
}
