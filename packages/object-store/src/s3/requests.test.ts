import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "../../../../test/support/at-end.ts";
import { serveHttp } from "../../../../test/support/http-server.ts";
import {
  assertBytes,
  being,
  bodyOf,
  bytesOf,
  collect,
  getBytes,
  key,
  MiB,
  putBytes,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { readWhole } from "../parts.ts";
import { connectS3 } from "./client.ts";
import { lineTo, withS3 } from "./fixtures/line.ts";
import { S3Store } from "./store.ts";

const other = parseKey("objects/two");

withS3("each call takes as few requests as it can", async (t, server) => {
  const { store, operations, passed } = await lineTo(t, server);
  const during = async (call: () => Promise<unknown>): Promise<string[]> => {
    const before = operations().length;
    await call();
    return operations().slice(before);
  };
  const put = (size: number, o = {}): Promise<unknown> => putBytes(store, key, bytesOf(1, size), o);
  assert.deepEqual(await during(() => put(1000, { ifAbsent: true })), ["PutObject"]);
  assert.equal(passed.at(-1)?.headers["if-none-match"], "*");
  assert.deepEqual(await during(() => put(8 * MiB)), ["PutObject"]);
  assert.equal(passed.at(-1)?.headers["x-amz-meta-holdall-put"], undefined);
  const stat = await store.stat(key);
  assert.deepEqual(await during(() => store.stat(key)), ["HeadObject"]);
  assert.deepEqual(await during(() => getBytes(store, key)), ["GetObject"]);
  assert.deepEqual(await during(() => put(10, { ifMatch: stat?.etag })), ["PutObject"]);
  assert.equal(passed.at(-1)?.headers["if-match"], `"${stat?.etag}"`);
  assert.deepEqual(await during(() => collect(store.list(""))), ["ListObjectsV2"]);
  assert.deepEqual(await during(() => store.copy(key, other)), ["HeadObject", "CopyObject"]);
  assert.equal(passed.at(-1)?.headers["x-amz-copy-source-if-match"], `"${(await store.stat(key))?.etag}"`);
  assert.deepEqual(await during(() => store.delete(key)), ["DeleteObject"]);
  assert.deepEqual(await during(() => store.presign(key, { method: "GET", expiresIn: 60 })), []);
  const parts = ["UploadPart", "UploadPart", "UploadPart"];
  assert.deepEqual(await during(() => put(16 * MiB + 1, { ifAbsent: true })), [
    "CreateMultipartUpload",
    ...parts,
    "CompleteMultipartUpload",
  ]);
  assert.deepEqual(await during(() => assert.rejects(put(10, { ifAbsent: true }), withCode("conflict"))), [
    "PutObject",
  ]);
  assert.deepEqual(await during(() => store.copy(key, parseKey("objects/three"), { ifAbsent: true })), [
    "HeadObject",
    "CreateMultipartUpload",
    "UploadPartCopy",
    "CompleteMultipartUpload",
  ]);
  assert.equal(passed.at(-1)?.headers["if-none-match"], "*");
  assert.equal(passed.at(-2)?.headers["x-amz-copy-source-if-match"], `"${(await store.stat(key))?.etag}"`);
});

withS3("what is larger than a request may be goes in parts, of which there are not too many", async (t, server) => {
  const GiB = 1024 * MiB;
  for (const [size, partSize] of [
    [5 * GiB + 1, 8 * MiB],
    // 10,000 parts of 8 MiB would not do.
    [100 * GiB, 11 * MiB],
  ] as const) {
    const first = Promise.withResolvers<string | undefined>();
    const { store, operations } = await lineTo(t, server, {
      plan: ({ operation, headers }) => {
        if (operation === "UploadPart") first.resolve(headers["content-length"]);
        return undefined;
      },
    });
    const own = new Error("the body's own");
    // Nobody has so many bytes here: it ends after the first part.
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield bytesOf(1, partSize);
      await first.promise;
      throw own;
    };
    await assert.rejects(store.put(key, body(), { size }), being(own));
    assert.equal(await first.promise, String(partSize));
    assert.ok(size / partSize <= 10_000);
    assert.deepEqual(operations(), ["CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"]);
  }
});

withS3("whether there is a bucket is asked once, when the first object is absent", async (t, server) => {
  const { store, operations } = await lineTo(t, server);
  for (let i = 0; i < 3; i++) assert.equal(await store.stat(key), undefined);
  assert.deepEqual(operations(), ["HeadObject", "ListObjectsV2", "HeadObject", "HeadObject"]);
});

withS3("what an object says of itself goes with it, in one piece and in parts", async (t, server) => {
  const { store, passed } = await lineTo(t, server);
  const about = { contentDisposition: "attachment; filename=repo.zip", metadata: { "revision-summary": "a1b2 First" } };
  await putBytes(store, key, bytesOf(1, 10), about);
  await putBytes(store, other, bytesOf(1, 10), { ...about, ifAbsent: true });
  await putBytes(store, key, bytesOf(1, 8 * MiB + 1), about);
  const made = passed.filter(({ operation }) => /^(Put|Create)/.test(operation));
  assert.equal(made.length, 3);
  for (const { operation, headers } of made) {
    assert.equal(headers["content-disposition"], about.contentDisposition, operation);
    assert.equal(headers["x-amz-meta-revision-summary"], "a1b2 First", operation);
  }
  for (const bad of [
    { contentDisposition: "attachment\r\nx-amz-acl: public-read" },
    { metadata: { summary: "Grüße" } },
    { metadata: { "a b": "c" } },
  ]) {
    await assert.rejects(putBytes(store, key, bytesOf(1, 10), bad), withCode("invalid"));
  }
});

withS3("how objects are to be kept goes with whatever makes one", async (t, server) => {
  const { store, passed } = await lineTo(t, server, {
    location: { sse: "aws:kms", kmsKeyId: "some-key", bucketKey: true, storageClass: "STANDARD_IA" },
  });
  await putBytes(store, key, bytesOf(1, 10), { contentType: "text/plain" });
  await store.copy(key, other);
  await store.copy(key, parseKey("objects/three"), { ifAbsent: true });
  await putBytes(store, key, bytesOf(1, 8 * MiB + 1));
  const made = passed.filter(({ operation }) => /^(Put|Copy|Create)/.test(operation));
  assert.deepEqual(
    made.map(({ operation }) => operation),
    ["PutObject", "CopyObject", "CreateMultipartUpload", "CreateMultipartUpload"],
  );
  for (const { operation, headers } of made) {
    assert.equal(headers["x-amz-server-side-encryption"], "aws:kms", operation);
    assert.equal(headers["x-amz-server-side-encryption-aws-kms-key-id"], "some-key", operation);
    assert.equal(headers["x-amz-server-side-encryption-bucket-key-enabled"], "true", operation);
    assert.equal(headers["x-amz-storage-class"], "STANDARD_IA", operation);
  }
  assert.deepEqual(
    made.map(({ headers }) => headers["content-type"]),
    ["text/plain", "text/plain", "text/plain", undefined],
  );
  const request = await store.presign(other, { method: "PUT", size: 10, expiresIn: 60 });
  assert.deepEqual(request.headers, {
    "Content-Type": "application/octet-stream",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "some-key",
    "x-amz-server-side-encryption-bucket-key-enabled": "true",
    "x-amz-storage-class": "STANDARD_IA",
  });
  const signed = new URL(request.url).searchParams.get("X-Amz-SignedHeaders");
  assert.equal(
    signed,
    ["host", ...Object.keys(request.headers)]
      .map((name) => name.toLowerCase())
      .sort()
      .join(";"),
  );
});

withS3("a store that ignores conditions is not asked to heed any", async (t, server) => {
  const { store, operations } = await lineTo(t, server, { location: { conditional: false } });
  const { putIfAbsent, compareAndSwap, deleteIfMatch } = store.capabilities;
  assert.deepEqual(
    { putIfAbsent, compareAndSwap, deleteIfMatch },
    {
      putIfAbsent: false,
      compareAndSwap: false,
      deleteIfMatch: false,
    },
  );
  const unsupported = withCode("unsupported");
  const body = bodyOf(bytesOf(1, 10));
  await assert.rejects(store.put(key, body, { size: 10, ifAbsent: true }), unsupported);
  assert.ok(body.over);
  await assert.rejects(putBytes(store, key, bytesOf(1, 10), { ifMatch: "a" }), unsupported);
  await assert.rejects(store.delete(key, { ifMatch: "a" }), unsupported);
  await assert.rejects(store.copy(key, other, { ifAbsent: true }), unsupported);
  await assert.rejects(store.multipart.complete(key, "a", [], { ifAbsent: true }), unsupported);
  assert.deepEqual(operations(), []);
});

withS3("a key that is too long below the prefix is invalid", async (t, server) => {
  const { store, operations } = await lineTo(t, server, { location: { prefix: parseKey("a".repeat(30)) } });
  const long = parseKey("b".repeat(1000));
  const calls = [
    () => store.stat(long),
    () => store.get(long),
    () => putBytes(store, long, bytesOf(1, 10)),
    () => store.delete(long),
    () => store.presign(long, { method: "GET", expiresIn: 60 }),
    () => store.multipart.create(long),
  ];
  for (const call of calls) await assert.rejects(call(), withCode("invalid"));
  assert.deepEqual(operations(), []);
});

withS3("an etag that no store gives matches nothing", async (t, server) => {
  const { store, passed } = await lineTo(t, server);
  const { etag } = await putBytes(store, key, bytesOf(1, 10));
  for (const ifMatch of ["", "*", '"', 'a"', `"${etag}"`, "a\r\nb: c", "é"]) {
    await assert.rejects(putBytes(store, key, bytesOf(2, 10), { ifMatch }), withCode("conflict"));
    await assert.rejects(store.delete(key, { ifMatch }), withCode("conflict"));
    await assert.rejects(store.copy(key, other, { fromEtag: ifMatch }), withCode("conflict"));
  }
  assertBytes(await getBytes(store, key), bytesOf(1, 10));
  const sent = new Set(passed.map(({ headers }) => headers["if-match"]));
  assert.deepEqual(sent, new Set([undefined, '"-"']));
});

test("a store that answers with other bytes than were asked for is not believed", async (t) => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "us-east-1" });
  let answered: { readonly status: number; readonly range?: string; readonly body: string };
  const port = await serveHttp(t, async (_request, response) => {
    const { status, range, body } = answered;
    const described = range === undefined ? {} : { "Content-Range": range };
    response.writeHead(status, {
      ETag: '"e"',
      "Last-Modified": new Date(0).toUTCString(),
      "Content-Length": body.length,
      ...described,
    });
    response.end(body);
  });
  const location = { kind: "s3", bucket: "some-bucket", endpoint: `http://127.0.0.1:${port}` } as const;
  const store = new S3Store(await connectS3(location));
  atEnd(t, () => store.close());
  const range = { start: 2, end: 4 };
  for (const wrong of [
    { status: 200, body: "0123456789" },
    { status: 206, range: "bytes 0-2/10", body: "012" },
    { status: 206, range: "bytes 2-5/10", body: "2345" },
    { status: 206, range: "bytes 2-4/10", body: "2345" },
  ]) {
    answered = wrong;
    await assert.rejects(store.get(key, { range }), withCode("unavailable"), JSON.stringify(wrong));
  }
  answered = { status: 206, range: "bytes 2-4/10", body: "234" };
  assert.equal((await readWhole((await store.get(key, { range })).body)).length, 3);
});
