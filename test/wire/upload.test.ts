import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EMPTY_OID } from "@holdall/lfs-protocol";
import { answerTo, open, send } from "../support/http.ts";
import { message, refusal } from "../support/messages.ts";
import { RawConnection, statusOf } from "../support/raw-connection.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { WireServer } from "./support/wire-server.ts";
import { Type } from "typebox";

const server = await WireServer.start({ store: "fs" });
after(() => server[Symbol.asyncDispose]());
const user = server.as();

/** Several pieces of everything on the way. */
const LARGE = 9_000_000;
let seed = 0;

/** Bytes that no test has had. */
function fresh(size: number): SeededObject {
  seed += 1;
  return seededObject(seed, size);
}

for (const size of [1, 1000, 65_536, 1024 * 1024, LARGE]) {
  test(`${size} bytes that were uploaded come back as they were`, async () => {
    const { bytes } = fresh(size);

    const oid = await user.upload("app", bytes);

    const { body, headers } = await user.download("app", { oid, size });
    assert.deepEqual(body, bytes);
    assert.equal(headers["content-length"], String(size));
  });
}

test("the answer to an upload has no body", async () => {
  const { bytes, oid } = fresh(100);
  const path = await user.target("app", "upload", { oid, size: 100 });

  const { status, headers, body } = await send({ port: server.port, method: "PUT", path, body: bytes });

  assert.deepEqual([status, headers["content-length"], body.length], [200, "0", 0]);
});

test("an upload in chunks, as proxies make them, is as good as one of known length", async () => {
  const { bytes, oid } = fresh(LARGE);
  const path = await user.target("app", "upload", { oid, size: LARGE });

  const outgoing = open({ port: server.port, method: "PUT", path, headers: { "Transfer-Encoding": "chunked" } });
  for (let at = 0; at < LARGE; at += 700_001) outgoing.write(bytes.subarray(at, at + 700_001));
  outgoing.end();
  assert.equal((await answerTo(outgoing)).status, 200);

  assert.deepEqual((await user.download("app", { oid })).body, bytes);
});

test("an upload of unknown size is taken at the length that it announces itself", async () => {
  const { bytes, oid } = fresh(1000);
  const path = await user.target("app", "upload", { oid });

  assert.equal((await send({ port: server.port, method: "PUT", path, body: bytes })).status, 200);

  assert.equal((await user.ask("app", "download", { oid })).size, 1000);
});

test("the empty object can be uploaded, though clients never do", async () => {
  const path = await user.target("app", "upload", { oid: EMPTY_OID, size: 0 });

  assert.equal((await send({ port: server.port, method: "PUT", path, body: "" })).status, 200);

  const { status, body, headers } = await user.download("app", { oid: EMPTY_OID, size: 0 });
  assert.deepEqual([status, body.length, headers["content-length"]], [200, 0, "0"]);
});

test("a body of any type is taken for bytes", async () => {
  for (const type of [
    "application/json",
    "text/plain; charset=utf-8",
    "image/png",
    "multipart/form-data; boundary=x",
    undefined,
  ]) {
    const { bytes, oid } = fresh(50);
    const path = await user.target("app", "upload", { oid, size: 50 });
    const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };

    assert.equal((await send({ port: server.port, method: "PUT", path, body: bytes, headers })).status, 200, type);
  }
});

test("a client that asks before it sends is told to go on", async () => {
  const { bytes, oid } = fresh(1000);
  const path = await user.target("app", "upload", { oid, size: 1000 });
  using connection = await RawConnection.open(server.port);

  connection.head(`PUT ${path} HTTP/1.1`, "Host: x", "Content-Length: 1000", "Expect: 100-continue");
  await connection.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  connection.write(bytes);

  await connection.until(/HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n/);
  assert.deepEqual((await user.download("app", { oid })).body, bytes);
});

test("many uploads of one object at once all succeed, and it is intact", async () => {
  const { bytes, oid } = fresh(2_000_000);
  const requests = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const path = await user.target(`race/${n % 3}`, "upload", { oid, size: bytes.length });
      return open({ port: server.port, method: "PUT", path, headers: { "Content-Length": String(bytes.length) } });
    }),
  );
  // All have begun before any ends.
  for (const request of requests) request.write(bytes.subarray(0, 1_000_000));
  const answers = requests.map((request) => answerTo(request));
  for (const request of requests) request.end(bytes.subarray(1_000_000));

  for (const { status } of await Promise.all(answers)) assert.equal(status, 200);

  for (const repository of ["race/0", "race/1", "race/2"])
    assert.deepEqual((await user.download(repository, { oid })).body, bytes);
  assert.equal((await server.files()).filter((file) => file.endsWith(oid)).length, 1);
});

test("an object that has arrived meanwhile is taken again", async () => {
  const { bytes, oid } = fresh(1000);
  const path = await user.target("app", "upload", { oid, size: 1000 });

  for (let n = 0; n < 3; n += 1)
    assert.equal((await send({ port: server.port, method: "PUT", path, body: bytes })).status, 200);

  assert.deepEqual((await user.download("app", { oid })).body, bytes);
});

test("uploads follow each other on one connection, refused ones too", async () => {
  using connection = await RawConnection.open(server.port);
  for (let n = 1; n <= 6; n += 1) {
    const { bytes, oid } = fresh(5000);
    const path = await user.target("app", "upload", { oid, size: 5000 });
    const body = n % 2 === 0 ? Buffer.alloc(5000) : bytes;
    connection.head(`PUT ${path} HTTP/1.1`, "Host: x", "Content-Length: 5000").write(body);
    const text = await connection.until(new RegExp(`(HTTP/1\\.1 \\d+ [^]*?\\r\\n\\r\\n[^]*?){${n}}`));
    const statuses = [...text.matchAll(/HTTP\/1\.1 \d+/g)].map(([line]) => statusOf(line));
    assert.equal(statuses[n - 1], n % 2 === 0 ? 400 : 200);
  }
});

test("an upload can be verified, with whatever size it really has", async () => {
  const oid = await user.upload("app", Buffer.from("to be verified"));
  const nothing = Type.Object({}, { additionalProperties: false });

  message(nothing, 200, await user.post("app/objects/verify", { oid, size: 14 }));
  message(nothing, 200, await user.post("app/objects/verify", { oid, size: 14, extra: true }));

  refusal(400, await user.post("app/objects/verify", { oid, size: 15 }));
  refusal(404, await user.post("app/objects/verify", { oid: "0".repeat(64), size: 14 }));
  refusal(404, await user.post("another/objects/verify", { oid, size: 14 }));
});

test("no verification is ever answered with 422, which clients take for success", async () => {
  for (const body of [
    null,
    [],
    {},
    { oid: 1 },
    { oid: "x", size: 1 },
    { oid: "0".repeat(64) },
    { oid: "0".repeat(64), size: "1" },
    { size: -1, oid: "0".repeat(64) },
  ]) {
    const answer = await user.post("app/objects/verify", body);
    assert.ok(answer.status === 400 || answer.status === 404, `${answer.status} for ${JSON.stringify(body)}`);
    refusal(answer.status, answer);
  }
  refusal(
    400,
    await user.request("POST", "/app/objects/verify", { body: "{", headers: { "Content-Type": "application/json" } }),
  );
});
