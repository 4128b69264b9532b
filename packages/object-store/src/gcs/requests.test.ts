import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { sharedGcsServer } from "../../../../test/support/gcs-server.ts";
import {
  assertBytes,
  bodyOf,
  bytesOf,
  collect,
  forEachLimited,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  readBody,
  TestBody,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { BadLine } from "./fixtures/bad-line.ts";
import { type GcsClient, makeGcsClient } from "./client.ts";
import { GcsStore } from "./store.ts";

const gcsServer = sharedGcsServer();
const TOKEN = "Bearer secret-token";

/** A test with a store that has credentials, and the line that it is reached by. */
function counted(title: string, run: (store: GcsStore, line: BadLine, client: GcsClient) => Promise<void>): void {
  test(title, async (t) => {
    const server = await gcsServer(t);
    if (server === undefined) return;
    const line = await BadLine.start(t, server.endpoint);
    const client: GcsClient = {
      ...makeGcsClient({ kind: "gs", bucket: await server.createBucket(), endpoint: line.url }),
      credentials: async () => ({ authorization: TOKEN }),
    };
    const store = new GcsStore(client, { prefix: "p" });
    try {
      await run(store, line, client);
    } finally {
      await store.close();
    }
  });
}

counted("what one request can do takes one", async (store, line) => {
  const version = await putBytes(store, key, bytesOf(1, 1000));
  assert.deepEqual(line.takeRequests(), ["POST /upload/o"]);
  await putBytes(store, key, bytesOf(2, 8 * MiB), { ifMatch: version.etag });
  assert.deepEqual(line.takeRequests(), ["POST /upload/o"]);
  await store.stat(key);
  assert.deepEqual(line.takeRequests(), ["GET /o/p/objects/one"]);
  await store.stat(parseKey("absent"));
  assert.deepEqual(line.takeRequests(), ["GET /o/p/absent"]);
  await getBytes(store, key);
  assert.deepEqual(line.takeRequests(), ["GET /download/o/p/objects/one"]);
  await readBody((await store.get(key, { range: { start: 10, end: 20 } })).body);
  assert.deepEqual(line.takeRequests(), ["GET /download/o/p/objects/one"]);
  await assert.rejects(store.get(key, { range: { start: 9 * MiB } }), withCode("invalid"));
  assert.deepEqual(line.takeRequests(), ["GET /download/o/p/objects/one"]);
  await collect(store.list("objects/"));
  assert.deepEqual(line.takeRequests(), ["GET /o"]);
  await store.presign(key, { method: "GET", expiresIn: 60 });
  assert.deepEqual(line.takeRequests(), []);
  await store.delete(key);
  assert.deepEqual(line.takeRequests(), ["DELETE /o/p/objects/one"]);
});

counted(
  "an etag that is no generation is another version's, and above all 0, which would create",
  async (store, line) => {
    for (const ifMatch of ["0", "", "-1", "1.5", "never", "1".repeat(20), "1&ifGenerationMatch=0"]) {
      for (const size of [10, 9 * MiB]) {
        const body = bodyOf(bytesOf(1, size));
        await assert.rejects(store.put(key, body, { size, ifMatch }), withCode("conflict"));
        assert.ok(body.ended);
      }
      await assert.rejects(store.delete(key, { ifMatch }), withCode("conflict"));
    }
    assert.deepEqual(line.takeRequests(), []);
  },
);

counted("what somebody stored as gzip comes as it is", async (store, _, { endpoint, bucket }) => {
  const bytes = gzipSync(bytesOf(1, 1000));
  await putBytes(store, key, bytes);
  const url = `${endpoint}/storage/v1/b/${bucket}/o/${encodeURIComponent(`p/${key}`)}`;
  await (await fetch(url, { method: "PATCH", body: JSON.stringify({ contentEncoding: "gzip" }) })).arrayBuffer();
  const decompressed = await fetch(`${url}?alt=media`, { headers: { "Accept-Encoding": "identity" } });
  assertBytes(Buffer.from(await decompressed.arrayBuffer()), bytesOf(1, 1000));
  assertBytes(await getBytes(store, key), bytes);
});

counted("a large put is a session and its chunks", async (store, line) => {
  await putBytes(store, key, bytesOf(1, 16 * MiB));
  const session = "PUT /upload/o?session";
  assert.deepEqual(line.takeRequests(), ["POST /upload/o", session, session]);
});

counted("a copy looks at its source, whose type it takes over", async (store, line) => {
  await putBytes(store, key, bytesOf(1, 10), { contentType: "text/plain" });
  line.takeRequests();
  const copy = parseKey("copies/one");
  await store.copy(key, copy, { ifAbsent: true });
  assert.deepEqual(line.takeRequests(), ["GET /o/p/objects/one", "POST /o/p/objects/one/rewriteTo/o/p/copies/one"]);
  const request = await store.presign(copy, { method: "GET", expiresIn: 60 });
  const response = await fetch(request.url);
  await response.arrayBuffer();
  assert.equal(response.headers.get("content-type"), "text/plain");
});

counted("a copy that takes the store long goes on from where it is", async (store, line) => {
  await putBytes(store, key, bytesOf(1, 10));
  const tokens: (string | null)[] = [];
  line.plan = ({ path }) => {
    if (!path.includes("rewriteTo")) return undefined;
    tokens.push(new URL(path, line.url).searchParams.get("rewriteToken"));
    const body = JSON.stringify({ done: false, rewriteToken: `token ${tokens.length}` });
    return tokens.length < 3 ? { status: 200, body } : undefined;
  };
  await store.copy(key, parseKey("copies/one"));
  assert.deepEqual(tokens, [null, "token 1", "token 2"]);
  assertBytes(await getBytes(store, parseKey("copies/one")), bytesOf(1, 10));
});

counted("pages are asked for as they are read", async (store, line) => {
  const names = Array.from({ length: 1001 }, (_, i) => String(i).padStart(5, "0"));
  await forEachLimited(names, 16, (name) => putBytes(store, parseKey(name), bytesOf(1, 1)));
  line.takeRequests();
  for await (const stat of store.list("")) if (stat.key === "00998") break;
  assert.equal(line.takeRequests().length, 1);
  assert.deepEqual(await listKeys(store), names);
  assert.equal(line.takeRequests().length, 2);
});

counted(
  "credentials go with every request, but not to the URL of a session, which is one itself",
  async (store, line) => {
    await putBytes(store, key, bytesOf(1, 9 * MiB));
    await store.stat(key);
    const tokens = line.passings.map(({ path, headers }) => [path.includes("upload_id"), headers.authorization]);
    assert.deepEqual(tokens, [
      [false, TOKEN],
      [true, undefined],
      [true, undefined],
      [false, TOKEN],
    ]);
  },
);

counted("no error tells the credentials or the URL of a session", async (store, line) => {
  const failures: unknown[] = [];
  for (const fault of [{ status: 403, body: "No." }, { lost: "answer" }] as const) {
    for (const matches of [/./, /upload_id/]) {
      line.plan = ({ path }) => (matches.test(path) ? fault : undefined);
      await store
        .put(key, bodyOf(bytesOf(1, 9 * MiB)), { size: 9 * MiB })
        .catch((error: unknown) => failures.push(error));
    }
  }
  assert.equal(failures.length, 4);
  for (const error of failures) {
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /secret-token|upload_id/);
  }
});

counted("the storage class and the project that pays go with what needs them", async (_, line, client) => {
  const store = new GcsStore({ ...client, storageClass: "NEARLINE", project: "payer" });
  await putBytes(store, key, bytesOf(1, 10));
  await putBytes(store, key, bytesOf(1, 9 * MiB));
  const upload = await store.multipart.create(key);
  const part = await store.multipart.putPart(key, upload, 1, bodyOf(bytesOf(1, 10)), { size: 10 });
  await store.multipart.complete(key, upload, [part]);
  for (const { path } of line.passings) assert.match(path, /userProject=payer|upload_id/);
  const response = await fetch(`${client.endpoint}/storage/v1/b/${client.bucket}/o/${encodeURIComponent(key)}`);
  assert.equal(((await response.json()) as { storageClass: string }).storageClass, "NEARLINE");
  const request = await store.presign(key, { method: "PUT", size: 10, expiresIn: 60 });
  assert.equal(request.headers["x-goog-storage-class"], "NEARLINE");
  assert.equal(new URL(request.url).searchParams.get("userProject"), "payer");
  await store.close();
});

counted("memory that was handed over is free as soon as the store has it", async (store) => {
  for (const handOver of [true, false]) {
    const chunks = [new Uint8Array(bytesOf(1, 8 * MiB)), new Uint8Array(bytesOf(2, 10))];
    const expected = Buffer.concat(chunks);
    await store.put(key, new TestBody(chunks), { size: expected.length, handOver });
    assert.equal(chunks[0]?.byteLength, handOver ? 0 : 8 * MiB);
    assertBytes(await getBytes(store, key), expected);
  }
});

counted("what is held back until the body ends stays as it is, whatever is stored meanwhile", async (store) => {
  const held = Promise.withResolvers<void>();
  const over = Promise.withResolvers<Uint8Array>();
  const body = new TestBody(
    (function* () {
      yield bytesOf(1, 16 * MiB);
      held.resolve();
      yield over.promise;
    })(),
  );
  const put = store.put(key, body, { size: 16 * MiB });
  await held.promise;
  await putBytes(store, parseKey("objects/two"), bytesOf(2, 40 * MiB));
  over.resolve(new Uint8Array(0));
  await put;
  assertBytes(await getBytes(store, key), bytesOf(1, 16 * MiB));
});
