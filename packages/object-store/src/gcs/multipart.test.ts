import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { sharedGcsServer } from "../../../../test/support/gcs-server.ts";
import {
  assertAbsent,
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
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import type { UploadedPart } from "../port.ts";
import { BadLine } from "./fixtures/bad-line.ts";
import { makeGcsClient } from "./client.ts";
import { GcsStore } from "./store.ts";

const gcsServer = sharedGcsServer();

interface Setting {
  readonly store: GcsStore;
  readonly line: BadLine;
  /** What there is in the bucket, whosever it is. */
  readonly names: () => Promise<string[]>;
}

function uploading(title: string, run: (setting: Setting, t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    const server = await gcsServer(t);
    if (server === undefined) return;
    const bucket = await server.createBucket();
    const line = await BadLine.start(t, server.endpoint);
    const store = new GcsStore(makeGcsClient({ kind: "gs", bucket, endpoint: line.url }));
    const names = async (): Promise<string[]> => {
      const response = await fetch(`${server.bare}/storage/v1/b/${bucket}/o`);
      const { items = [] } = (await response.json()) as { items?: { name: string }[] };
      return items.map(({ name }) => name);
    };
    try {
      await run({ store, line, names }, t);
    } finally {
      await store.close();
    }
  });
}

async function putPart({ multipart }: GcsStore, upload: string, number: number, size: number): Promise<UploadedPart> {
  return await multipart.putPart(key, upload, number, bodyOf(bytesOf(number, size)), { size });
}

uploading("more parts than one request takes are put together in several", async ({ store, line, names }) => {
  const numbers = Array.from({ length: 70 }, (_, i) => i + 1);
  const upload = await store.multipart.create(key);
  await forEachLimited(numbers, 8, (number) => putPart(store, upload, number, 100 + number));
  const parts = await collect(store.multipart.parts(key, upload));
  assert.deepEqual(
    parts.map(({ number, size }) => [number, size]),
    numbers.map((number) => [number, 100 + number]),
  );
  line.takeRequests();
  const version = await store.multipart.complete(key, upload, parts);
  const requests = line.takeRequests();
  assert.equal(requests.filter((request) => request.endsWith("/compose")).length, 4);
  assert.equal(requests.filter((request) => request === "GET /o").length, 2);
  assert.equal((await store.stat(key))?.etag, version.etag);
  assertBytes(await getBytes(store, key), Buffer.concat(numbers.map((number) => bytesOf(number, 100 + number))));
  assert.deepEqual(await names(), [key], "nothing else is left");
});

uploading("a part may be as large as an object", async ({ store }) => {
  const upload = await store.multipart.create(key);
  const parts = [await putPart(store, upload, 1, 9 * MiB), await putPart(store, upload, 10_000, 10)];
  await store.multipart.complete(key, upload, parts);
  assertBytes(await getBytes(store, key), Buffer.concat([bytesOf(1, 9 * MiB), bytesOf(10_000, 10)]));
});

uploading("the content type is that of the upload", async ({ store }) => {
  const upload = await store.multipart.create(key, { contentType: "text/plain" });
  await store.multipart.complete(key, upload, [await putPart(store, upload, 1, 10)]);
  const { url } = await store.presign(key, { method: "GET", expiresIn: 60 });
  const response = await fetch(url);
  await response.arrayBuffer();
  assert.equal(response.headers.get("content-type"), "text/plain");
  await assert.rejects(store.multipart.create(key, { contentType: "a\r\nb: c" }), withCode("invalid"));
});

uploading("only the parts that are meant are put together", async ({ store }) => {
  const upload = await store.multipart.create(key);
  const [one, two] = [await putPart(store, upload, 1, 10), await putPart(store, upload, 2, 20)];
  const again = await putPart(store, upload, 2, 20);
  for (const parts of [[], [one, two], [again, one], [one, one], [one, { ...again, size: 19 }]]) {
    await assert.rejects(store.multipart.complete(key, upload, parts), withCode("invalid"));
  }
  await assertAbsent(store, key);
  await store.multipart.complete(key, upload, [again]);
  assertBytes(await getBytes(store, key), bytesOf(2, 20));
  for (const number of [0, -1, 1.5, 10_001]) {
    await assert.rejects(putPart(store, upload, number, 10), withCode("invalid"));
    const signing = store.multipart.presignPart(key, upload, number, { size: 10, expiresIn: 60 });
    await assert.rejects(signing, withCode("invalid"));
  }
});

uploading(
  "a part that comes again at the last moment is not put in the place of the one that was meant",
  async (setting) => {
    const { store, line } = setting;
    const upload = await store.multipart.create(key);
    const part = await putPart(store, upload, 1, 10);
    line.plan = ({ path }) => {
      if (!path.includes("/compose")) return undefined;
      line.plan = () => undefined;
      return {
        async *upload(_, body) {
          await putPart(store, upload, 1, 20);
          yield* body;
        },
      };
    };
    await assert.rejects(store.multipart.complete(key, upload, [part]), withCode("invalid"));
    await assertAbsent(store, key);
  },
);

uploading("whoever completes with other parts than somebody else has is not told that it is done", async (setting) => {
  const { store, line } = setting;
  const upload = await store.multipart.create(key);
  const part = await putPart(store, upload, 1, 10);
  line.plan = ({ path }) => {
    if (!path.includes("/compose")) return undefined;
    line.plan = () => undefined;
    return {
      // oxlint-disable-next-line require-yield
      async *upload() {
        await store.multipart.complete(key, upload, [await putPart(store, upload, 1, 20)]);
        throw new Error("cut");
      },
    };
  };
  await assert.rejects(store.multipart.complete(key, upload, [part]), withCode("not-found"));
  assertBytes(await getBytes(store, key), bytesOf(1, 20));
});

uploading("an upload is known by its name and its key", async ({ store, names }) => {
  const upload = await store.multipart.create(key);
  const part = await putPart(store, upload, 1, 10);
  const other = parseKey("objects/two");
  for (const [at, name] of [
    [other, upload],
    [key, upload.replaceAll(/[0-9]/g, "0")],
    [key, "../.."],
    [key, ""],
  ] as const) {
    await assert.rejects(collect(store.multipart.parts(at, name)), withCode("not-found"));
    await assert.rejects(store.multipart.complete(at, name, [part]), withCode("not-found"));
    await store.multipart.abort(at, name);
  }
  assert.equal((await names()).length, 2);
  await store.multipart.abort(key, upload);
  assert.deepEqual(await names(), []);
  await assert.rejects(collect(store.multipart.parts(key, upload)), withCode("not-found"));
});

uploading("an upload that is complete is gone, and its parts with it", async ({ store, names }) => {
  const upload = await store.multipart.create(key);
  const parts = [await putPart(store, upload, 1, 10)];
  await store.multipart.complete(key, upload, parts, { ifAbsent: true });
  await assert.rejects(store.multipart.complete(key, upload, parts), withCode("not-found"));
  assert.deepEqual(await names(), [key]);
});

uploading("whoever loses a race keeps the parts", async ({ store }) => {
  await putBytes(store, key, bytesOf(1, 5));
  const upload = await store.multipart.create(key);
  const parts = [await putPart(store, upload, 1, 10)];
  await assert.rejects(store.multipart.complete(key, upload, parts, { ifAbsent: true }), withCode("conflict"));
  await store.delete(key);
  await store.multipart.complete(key, upload, parts, { ifAbsent: true });
  assertBytes(await getBytes(store, key), bytesOf(1, 10));
});

uploading("uploads are no objects: not listed, not got, and not in the way", async ({ store, line }) => {
  for (const name of ["!", "-", ".holdall", ".holdall0", "a"]) await putBytes(store, parseKey(name), bytesOf(1, 1));
  const upload = await store.multipart.create(key);
  await putPart(store, upload, 1, 10);
  line.takeRequests();
  assert.deepEqual(await listKeys(store), ["!", "-", ".holdall", ".holdall0", "a"]);
  assert.equal(line.takeRequests().length, 2, "a page up to the uploads, and one from after them");
  assert.deepEqual(await listKeys(store, ".hold"), [".holdall", ".holdall0"]);
  assert.deepEqual(await listKeys(store, "", ".holdall"), [".holdall0", "a"]);
  assert.deepEqual(await listKeys(store, "", ".holdall/x"), [".holdall0", "a"]);
  assert.deepEqual(await listKeys(store, ".holdall/"), []);
  const own = parseKey(`.holdall/parts/${upload}/00001`);
  for (const call of [
    store.stat(own),
    store.get(own),
    putBytes(store, own, bytesOf(1, 1)),
    store.delete(own),
    store.copy(key, own),
    store.copy(own, key),
    store.presign(own, { method: "GET", expiresIn: 60 }),
    store.multipart.create(own),
  ]) {
    await assert.rejects(call, withCode("invalid"));
  }
});

uploading("a sweep removes uploads to which nothing has been added for a day", async ({ store, names }, t) => {
  await putBytes(store, key, bytesOf(1, 10));
  const uploads = [await store.multipart.create(key), await store.multipart.create(parseKey("other"))];
  for (const upload of uploads) await putPart(store, upload, 1, 10);
  const hour = 3600 * 1000;
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 23 * hour });
  assert.equal(await store.sweep(), 0);
  t.mock.timers.setTime(Date.now() + 2 * hour);
  assert.equal(await store.sweep(), 2);
  assert.deepEqual(await names(), [key]);
  assert.equal(await store.sweep(), 0);
});
