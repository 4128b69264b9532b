import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test, type TestContext } from "node:test";
import { Gate } from "../../../../test/support/proxy.ts";
import { meeting } from "../../../../test/support/s3-test-server/faults.ts";
import type { S3TestServer } from "../../../../test/support/s3-test-server/server.ts";
import { bytesOf, MiB } from "../contract/contract-test.ts";
import { testBucket, type TestBucket } from "./fixtures/test-client.ts";

interface Trial extends TestBucket {
  readonly put: (key: string, o?: { body?: Uint8Array; create?: boolean; signal?: AbortSignal }) => Promise<unknown>;
  readonly has: (key: string) => Promise<boolean>;
}

async function trial(t: TestContext): Promise<Trial> {
  const there = await testBucket(t);
  const client = there.client();
  const at = (key: string): { Bucket: string; Key: string } => ({ Bucket: there.bucket, Key: key });
  return {
    ...there,
    put: (key, { body = Buffer.from("bytes"), create = false, signal } = {}) => {
      const command = new PutObjectCommand({ ...at(key), Body: body, ...(create ? { IfNoneMatch: "*" } : {}) });
      return client.send(command, signal === undefined ? {} : { abortSignal: signal });
    },
    has: async (key) => {
      const found = client.send(new HeadObjectCommand(at(key)));
      return await found.then(
        () => true,
        (error: unknown) => {
          assert.equal(error instanceof Error && error.name, "NotFound");
          return false;
        },
      );
    },
  };
}

function seen({ requests }: S3TestServer): string[] {
  return requests.map(({ operation, key, status }) => `${operation} ${key} ${status}`);
}

test("an error strikes the requests that it is planned for, and no others", async (t) => {
  const { server, put, has } = await trial(t);
  const target = { operation: "PutObject", key: /^a/, skip: 1, times: 2 } as const;
  server.fault(target, { answer: { status: 503, code: "SlowDown" } });
  for (const key of ["a1", "b1"]) await put(key);
  for (const key of ["a2", "a3"]) {
    await assert.rejects(put(key), { name: "SlowDown" });
    assert.equal(await has(key), false);
  }
  await put("a4");
  assert.deepEqual(seen(server), [
    "PutObject a1 200",
    "PutObject b1 200",
    "PutObject a2 503",
    "HeadObject a2 404",
    "PutObject a3 503",
    "HeadObject a3 404",
    "PutObject a4 200",
  ]);
  const over = server.fault({ method: "PUT", times: Infinity }, { answer: { status: 500, code: "InternalError" } });
  for (const key of ["c1", "c2"]) await assert.rejects(put(key), { name: "InternalError" });
  over();
  await put("c1");
});

test("an error says when to come again, and may come as a success", async (t) => {
  const { server, bucket, client } = await trial(t);
  const url = await getSignedUrl(client(), new GetObjectCommand({ Bucket: bucket, Key: "a" }));
  server.fault({ key: "a" }, { answer: { status: 503, code: "SlowDown", retryAfter: 7 } });
  server.fault({ key: "a" }, { answer: { status: 200, code: "InternalError" } });
  const first = await fetch(url);
  assert.deepEqual([first.status, first.headers.get("retry-after")], [503, "7"]);
  assert.match(await first.text(), /<Code>SlowDown<\/Code>/);
  assert.equal((await fetch(url)).status, 404);
});

test("a connection that breaks while a body comes leaves nothing", async (t) => {
  const { server, bucket, client, put, has } = await trial(t);
  for (const cutAfter of [0, 3 * MiB, 5 * MiB]) {
    server.fault({ operation: "PutObject" }, { cutAfter });
    await assert.rejects(put("a", { body: bytesOf(1, 5 * MiB) }), { code: /^(ECONNRESET|EPIPE)$/ });
    assert.equal(await has("a"), false);
  }
  // Of a body that is not signed, what came is not known to be too little.
  const url = await getSignedUrl(client(), new PutObjectCommand({ Bucket: bucket, Key: "a" }));
  server.fault({ operation: "PutObject" }, { cutAfter: 10 });
  await assert.rejects(fetch(url, { method: "PUT", body: new Uint8Array(bytesOf(1, MiB)) }));
  assert.equal(await has("a"), false);
});

test("a client that breaks off while it sends leaves nothing", async (t) => {
  const { server, bucket, client, has } = await trial(t);
  const url = await getSignedUrl(client(), new PutObjectCommand({ Bucket: bucket, Key: "a" }));
  const sending = request(url, { method: "PUT", headers: { "Content-Length": 100 } });
  const broken = once(sending, "error");
  sending.write("bytes", () => sending.destroy(new Error("enough")));
  await broken;
  assert.equal(await has("a"), false);
  assert.deepEqual(seen(server).slice(0, 1), ["PutObject a 0"]);
});

test("a request that is held is done when it is let go", async (t) => {
  const { server, put, has } = await trial(t);
  const gate = new Gate();
  server.fault({ operation: "PutObject" }, { hold: () => gate.pass() });
  const held = put("a");
  await gate.reached;
  assert.equal(await has("a"), false);
  gate.open();
  await held;
  assert.equal(await has("a"), true);
});

test("of creators that meet exactly one succeeds", async (t) => {
  const { server, put } = await trial(t);
  for (const count of [2, 16]) {
    const hold = meeting(count);
    server.fault({ operation: "PutObject", times: count }, { hold });
    const creators = Array.from({ length: count }, () => put(`of ${count}`, { create: true }));
    const results = await Promise.allSettled(creators);
    const lost = results.flatMap((result) => (result.status === "rejected" ? [(result.reason as Error).name] : []));
    assert.deepEqual(
      lost,
      Array.from({ length: count - 1 }, () => "PreconditionFailed"),
    );
  }
});

test("what is done without an answer is done", async (t) => {
  const { server, put, has } = await trial(t);
  server.fault({ key: "lost", method: "PUT" }, { lose: true });
  await put("other");
  await assert.rejects(put("lost"), { code: "ECONNRESET" });
  assert.equal(await has("lost"), true);
  const gate = new Gate();
  server.fault({ key: "late", method: "PUT" }, { holdAnswer: () => gate.pass() });
  const late = put("late");
  await gate.reached;
  assert.equal(await has("late"), true);
  gate.open();
  await late;
  const never = new Gate();
  const controller = new AbortController();
  server.fault({ key: "never", method: "PUT" }, { holdAnswer: () => never.pass() });
  const silent = put("never", { signal: controller.signal });
  await never.reached;
  controller.abort();
  await assert.rejects(silent, { name: "AbortError" });
  assert.equal(await has("never"), true);
  assert.deepEqual(
    seen(server).filter((line) => line.startsWith("PutObject")),
    ["PutObject other 200", "PutObject lost 0", "PutObject late 200", "PutObject never 0"],
  );
});

test("an answer that breaks off has announced all of it", async (t) => {
  const { server, bucket, client, put } = await trial(t);
  await put("a", { body: bytesOf(1, 5 * MiB) });
  const url = await getSignedUrl(client(), new GetObjectCommand({ Bucket: bucket, Key: "a" }));
  for (const truncateAfter of [0, 10, 3 * MiB]) {
    server.fault({ operation: "GetObject" }, { truncateAfter });
    const response = await fetch(url);
    assert.equal(response.headers.get("content-length"), String(5 * MiB));
    let read = 0;
    await assert.rejects(async () => {
      for await (const chunk of response.body ?? []) read += chunk.length;
    });
    assert.equal(read, truncateAfter);
  }
});

test("a server that holds a request ends all the same", async (t) => {
  const { server, put } = await trial(t);
  const gate = new Gate();
  server.fault({ operation: "PutObject" }, { hold: () => gate.pass() });
  const held = assert.rejects(put("a"), { code: "ECONNRESET" });
  await gate.reached;
  await server[Symbol.asyncDispose]();
  await held;
  gate.open();
});
