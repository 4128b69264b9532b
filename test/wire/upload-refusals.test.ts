import assert from "node:assert/strict";
import { after, test } from "node:test";
import { seededBytes, sha256 } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import { answerTo, headOf, open, pour, type Answer } from "../support/http.ts";
import { refusal } from "../support/messages.ts";
import { RawConnection, statusOf } from "../support/raw-connection.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({ store: "fs" });
after(() => server[Symbol.asyncDispose]());
const user = server.as();

const SIZE = 3_000_000;
const BYTES = seededBytes(1, SIZE);
const OID = sha256(BYTES);
const CHUNKED = { "Transfer-Encoding": "chunked" };

/** Nothing is stored, not even for a while, and nothing is linked. */
async function nothingIsThere(): Promise<void> {
  assert.deepEqual(await server.stored(), []);
  await eventually("no temporary file is left", async () => (await server.files()).length === 0);
  const repository = "app";
  const { status } = await user.askBatch(repository, "download", [{ oid: OID, size: SIZE }]);
  assert.equal(status, 404, "not even the repository has come into being");
}

async function put(body: Uint8Array, headers: Readonly<Record<string, string>>, size?: number): Promise<Answer> {
  const path = await user.target("app", "upload", size === undefined ? { oid: OID } : { oid: OID, size });
  const outgoing = open({ port: server.port, method: "PUT", path, headers });
  outgoing.end(body);
  return await answerTo(outgoing);
}

const flipped = Buffer.from(BYTES);
flipped[SIZE - 1] = (flipped[SIZE - 1] ?? 0) ^ 1;
const short = BYTES.subarray(0, SIZE - 1);
const long = Buffer.concat([BYTES, Buffer.from("x")]);

/** Bodies that are not the object; all were announced with its right size unless it says otherwise. */
const WRONG: ReadonlyArray<
  readonly [what: string, body: Uint8Array, headers: Readonly<Record<string, string>>, announced?: boolean]
> = [
  ["with one bit flipped", flipped, { "Content-Length": String(SIZE) }],
  ["with one bit flipped, in chunks", flipped, CHUNKED],
  ["one byte short", short, { "Content-Length": String(SIZE - 1) }],
  ["one byte short, in chunks", short, CHUNKED],
  ["one byte long", long, { "Content-Length": String(SIZE + 1) }],
  ["one byte long, in chunks", long, CHUNKED],
  ["empty", Buffer.alloc(0), { "Content-Length": "0" }],
  ["empty, in chunks", Buffer.alloc(0), CHUNKED],
  ["empty, of unknown size", Buffer.alloc(0), { "Content-Length": "0" }, false],
  ["of other bytes, of unknown size", flipped, { "Content-Length": String(SIZE) }, false],
  ["one byte short, of unknown size", short, { "Content-Length": String(SIZE - 1) }, false],
  [
    "compressed by the client",
    BYTES.subarray(0, 1000),
    { "Content-Length": "1000", "Content-Encoding": "gzip" },
    false,
  ],
];

for (const [what, body, headers, announced = true] of WRONG) {
  test(`a body ${what} is refused with 400, never 422, and leaves nothing`, async () => {
    const answer = await put(body, headers, announced ? SIZE : undefined);

    refusal(400, answer);
    await nothingIsThere();
  });
}

test("a body in chunks whose size nobody has said is 411 with what to do", async () => {
  const { message: said } = refusal(411, await put(BYTES, CHUNKED));

  assert.match(said, /Content-Length/);
  await nothingIsThere();
});

for (const [what, headers] of [
  ["of known length", [`Content-Length: ${SIZE}`]],
  ["in chunks", ["Transfer-Encoding: chunked"]],
] as const) {
  for (const [how, cut] of [
    ["reset", (connection: RawConnection) => connection.socket.resetAndDestroy()],
    ["closed", (connection: RawConnection) => connection.socket.destroySoon()],
    ["half closed", (connection: RawConnection) => connection.socket.end()],
  ] as const) {
    test(`a body ${what} whose connection is ${how} half-way leaves nothing`, async () => {
      const path = await user.target("app", "upload", { oid: OID, size: SIZE });
      const lines = server.log.length;
      using connection = await RawConnection.open(server.port);

      connection.head(`PUT ${path} HTTP/1.1`, "Host: x", ...headers);
      if (what === "in chunks") connection.write(`${(SIZE / 2).toString(16)}\r\n`);
      await new Promise((written) => connection.socket.write(BYTES.subarray(0, SIZE / 2), written));
      cut(connection);
      await connection.closed();

      await eventually("the request is logged", () => server.log.slice(lines).some((line) => line.includes('"PUT"')));
      await nothingIsThere();
    });
  }
}

test("a body that breaks the rules of chunks is 400 and leaves nothing", async () => {
  const path = await user.target("app", "upload", { oid: OID, size: SIZE });
  using connection = await RawConnection.open(server.port);

  connection.head(`PUT ${path} HTTP/1.1`, "Host: x", "Transfer-Encoding: chunked").write("zz\r\n");

  assert.equal(statusOf((await connection.closed()).text), 400);
  await nothingIsThere();
});

test("a request that names two lengths, or a length and chunks, is 400 and leaves nothing", async () => {
  const path = await user.target("app", "upload", { oid: OID, size: SIZE });
  for (const lines of [
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Content-Length: x"],
    ["Content-Length: -1"],
    ["Content-Length: 99999999999999999999999"],
  ]) {
    using connection = await RawConnection.open(server.port);
    connection.head(`PUT ${path} HTTP/1.1`, "Host: x", ...lines);
    assert.equal(statusOf((await connection.closed()).text), 400, lines.join());
  }
  await nothingIsThere();
});

test("no upload is ever answered with 422, which clients take for success", async () => {
  const queries = ["", "?token=", "?token=x", "?token=a&token=b", "?token[]=x", "?token=%zz"];
  for (const query of queries) {
    for (const oid of [OID, "x", "0".repeat(64)]) {
      const answer = await user.request("PUT", `/app/objects/${oid}${query}`, { body: "x" });
      assert.match(String(answer.status), /^4(00|03|04)$/, `${query} ${oid}`);
      refusal(answer.status, answer);
    }
  }
  await nothingIsThere();
});

const HUGE = 100 * 1024 * 1024;

for (const connection of ["keep-alive", "close"]) {
  test(`a client that is still sending 100 MB gets to read why they are refused (Connection: ${connection})`, async () => {
    for (const [path, status] of [
      [`/app/objects/${OID}?token=wrong`, 403],
      ["/app/objects/nothing", 404],
      [await user.target("app", "upload", { oid: OID, size: SIZE }), 400],
    ] as const) {
      const headers = { "Content-Length": String(HUGE), Connection: connection };
      const outgoing = open({ port: server.port, method: "PUT", path, headers });
      outgoing.on("error", () => {});
      const answered = headOf(outgoing);
      pour(outgoing, 100);

      const incoming = await answered;

      assert.equal(incoming.statusCode, status);
      assert.match(Buffer.concat(await incoming.toArray()).toString(), /"message":"/);
      outgoing.destroy();
    }
    await nothingIsThere();
  });
}

test("who never stops sending what was refused is cut after a bounded number of bytes", async () => {
  using connection = await RawConnection.open(server.port);
  connection.head(`PUT /app/objects/${OID}?token=wrong HTTP/1.1`, "Host: x", `Content-Length: ${10 ** 12}`);
  pour(connection.socket, Number.POSITIVE_INFINITY);

  const { text } = await connection.closed();

  assert.equal(statusOf(text), 403);
  assert.ok(connection.socket.bytesWritten < 80 * 1024 * 1024, `${connection.socket.bytesWritten} bytes were taken`);
});
