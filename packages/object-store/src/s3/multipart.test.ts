import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { atEnd } from "../../../../test/support/at-end.ts";
import { serveHttp } from "../../../../test/support/http-server.ts";
import {
  assertBytes,
  being,
  bodyOf,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  MiB,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import type { UploadedPart } from "../port.ts";
import { connectS3 } from "./client.ts";
import { lineTo, withS3 } from "./fixtures/line.ts";
import { S3Store } from "./store.ts";

/** More than is held in memory for a part. */
const SIZE = 9 * MiB;

withS3("a part that is too large to be held goes as it comes, whole or not at all", async (t, server) => {
  const { store } = await lineTo(t, server);
  const { multipart } = store;
  const upload = await multipart.create(key);
  const put = (body: AsyncIterable<Uint8Array>): Promise<unknown> =>
    multipart.putPart(key, upload, 1, body, { size: SIZE });
  await put(bodyOf(bytesOf(1, SIZE)));
  const error = new Error("the body's own");
  for (const length of [0, 1000, SIZE]) {
    await assert.rejects(put(failingBody(bytesOf(2, length), error)), being(error), `${length}`);
  }
  for (const length of [SIZE - 1, SIZE + 1, SIZE + MiB]) {
    await assert.rejects(put(bodyOf(bytesOf(2, length))), withCode("invalid"), `${length}`);
  }
  const signal = AbortSignal.abort(error);
  const body = bodyOf(bytesOf(2, SIZE));
  await assert.rejects(multipart.putPart(key, upload, 1, body, { size: SIZE, signal }), being(error));
  assert.ok(body.over);
  const parts = await collect(multipart.parts(key, upload));
  await multipart.complete(key, upload, parts);
  assertBytes(await getBytes(store, key), bytesOf(1, SIZE));
});

withS3("a part that is too large to be held is not sent again when the connection breaks", async (t, server) => {
  const { store, operations } = await lineTo(t, server, {
    plan: ({ operation, count }) => (operation === "UploadPart" && count === 1 ? { cutAfter: 5 * MiB } : undefined),
  });
  const upload = await store.multipart.create(key);
  const body = bodyOf(bytesOf(1, SIZE));
  await assert.rejects(store.multipart.putPart(key, upload, 1, body, { size: SIZE }), (error) => {
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", true, true]);
    return true;
  });
  assert.ok(body.over);
  assert.equal(operations().filter((one) => one === "UploadPart").length, 1);
});

test("a part that is refused before all of it was sent leaves no connection open", async (t) => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "us-east-1" });
  const closed = Promise.withResolvers<void>();
  const port = await serveHttp(t, async (request, response) => {
    request.socket.once("close", () => closed.resolve());
    response.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>");
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const store = new S3Store(await connectS3({ kind: "s3", bucket: "some-bucket", endpoint }));
  atEnd(t, () => store.close());
  const body = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield bytesOf(1, MiB);
  };
  const upload = "0b0f0f4e-9c5b-4d0e-8f0a-1d1c5f3c2b1a.id";
  await assert.rejects(store.multipart.putPart(key, upload, 1, body(), { size: 1024 * MiB }), withCode("denied"));
  // Sooner than the server, which waits for five seconds, would close it.
  assert.notEqual(await Promise.race([closed.promise, delay(3000, "open", { ref: false })]), "open");
});

withS3("parts are listed page by page", async (t, server) => {
  const page = (numbers: readonly number[], more: string): string =>
    `<ListPartsResult>${numbers
      .map((n) => `<Part><PartNumber>${n}</PartNumber><Size>${n * 10}</Size><ETag>"${n}"</ETag></Part>`)
      .join("")}${more}</ListPartsResult>`;
  const next = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>3</NextPartNumberMarker>";
  const { store, passed } = await lineTo(t, server, {
    plan: ({ operation, count }) => {
      if (operation !== "ListParts") return undefined;
      return { answer: 200, body: count === 1 ? page([1, 3], next) : page([7], "<IsTruncated>false</IsTruncated>") };
    },
  });
  const upload = await store.multipart.create(key);
  assert.deepEqual(await collect(store.multipart.parts(key, upload)), [
    { number: 1, size: 10, etag: "1" },
    { number: 3, size: 30, etag: "3" },
    { number: 7, size: 70, etag: "7" },
  ]);
  const pages = passed.filter(({ operation }) => operation === "ListParts");
  assert.deepEqual(
    pages.map(({ query }) => query.get("part-number-marker")),
    [null, "3"],
  );
});

withS3("whoever completes with other parts than somebody else has is not told that it is done", async (t, server) => {
  const { store } = await lineTo(t, server, {
    plan: ({ operation, count }) =>
      operation === "CompleteMultipartUpload" && count > 1 ? { answer: 404, code: "NoSuchUpload" } : undefined,
  });
  const { multipart } = store;
  const upload = await multipart.create(key);
  const put = (seed: number): Promise<UploadedPart> =>
    multipart.putPart(key, upload, 1, bodyOf(bytesOf(seed, 100)), { size: 100 });
  const [first, second] = [await put(1), await put(2)];
  const version = await multipart.complete(key, upload, [second]);
  await assert.rejects(multipart.complete(key, upload, [first]), withCode("not-found"));
  assertBytes(await getBytes(store, key), bytesOf(2, 100));
  assert.deepEqual(await multipart.complete(key, upload, [second]), version);
});

withS3("what is no upload, or no part of one, is told", async (t, server) => {
  const { store, operations } = await lineTo(t, server);
  const { multipart } = store;
  const upload = await multipart.create(key);
  const put = (number: number, size = 10, name = upload): Promise<unknown> =>
    multipart.putPart(key, name, number, bodyOf(bytesOf(1, 10)), { size });
  const before = operations().length;
  for (const number of [0, -1, 1.5, Number.NaN, 10_001]) await assert.rejects(put(number), withCode("invalid"));
  await assert.rejects(put(1, 6 * 1024 ** 3), withCode("invalid"));
  const presigning = multipart.presignPart(key, upload, 1, { size: 6 * 1024 ** 3, expiresIn: 60 });
  await assert.rejects(presigning, withCode("invalid"));
  await assert.rejects(multipart.complete(key, upload, []), withCode("invalid"));
  for (const name of ["", "nothing", "a.b", upload.slice(37)]) {
    await assert.rejects(put(1, 10, name), withCode("not-found"));
    await assert.rejects(collect(multipart.parts(key, name)), withCode("not-found"));
    await multipart.abort(key, name);
  }
  assert.equal(operations().length, before, "nothing was asked for that");
  await multipart.abort(key, upload);
  await assert.rejects(put(1), withCode("not-found"));
  await assert.rejects(collect(multipart.parts(key, upload)), withCode("not-found"));
});

withS3("a sweep gives up what nothing has been added to for a day, below the store's own prefix", async (t, server) => {
  const day = 24 * 3600 * 1000;
  const aged = (body: string, age: number): string => {
    const at = new Date(Date.now() - age).toISOString().slice(0, 19);
    return body.replaceAll(/(<(?:Initiated|LastModified)>)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/g, `$1${at}`);
  };
  let age = 0;
  let partAge = 0;
  const line = await lineTo(t, server, {
    location: { prefix: parseKey("ours") },
    plan({ operation }) {
      if (operation === "ListMultipartUploads") return { rewrite: (body) => aged(body, age) };
      return operation === "ListParts" ? { rewrite: (body) => aged(body, partAge) } : undefined;
    },
  });
  const { prefix: _, ...location } = line.connection.location;
  const others = new S3Store(await connectS3(location));
  t.after(() => others.close());
  const neighbour = parseKey("ours-not");
  const foreign = await others.multipart.create(neighbour);
  const uploads = [await line.store.multipart.create(key), await line.store.multipart.create(key)];
  age = day - 60_000;
  assert.equal(await line.store.sweep(), 0);
  age = day + 60_000;
  const longOne = await line.store.multipart.create(key);
  await line.store.multipart.putPart(key, longOne, 1, bodyOf(bytesOf(1, 10)), { size: 10 });
  partAge = day - 60_000;
  assert.equal(await line.store.sweep(), 2, "one to which parts are still added goes on");
  partAge = day + 60_000;
  assert.equal(await line.store.sweep(), 1);
  assert.equal(await line.store.sweep(), 0);
  for (const upload of uploads) {
    await assert.rejects(collect(line.store.multipart.parts(key, upload)), withCode("not-found"));
  }
  assert.deepEqual(await collect(others.multipart.parts(neighbour, foreign)), []);
});
