import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { bodyOf, bytesOf, collect, getBytes, key, listKeys, withCode } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { FsStore } from "./store.ts";

async function storeIn(t: TestContext): Promise<{ root: string; store: FsStore }> {
  const root = await mkdtemp(join(tmpdir(), "holdall-uploads-"));
  const store = new FsStore(root);
  t.after(async () => {
    await store.close();
    await rm(root, { recursive: true, force: true });
  });
  return { root, store };
}

test("an upload that nobody has added to for a day is swept, and only then", async (t) => {
  const { root, store } = await storeIn(t);
  const { multipart } = store;
  const old = await multipart.create(key);
  await multipart.putPart(key, old, 1, bodyOf(bytesOf(1, 10)), { size: 10 });
  const recent = await multipart.create(key);
  const uploads = join(root, ".holdall", "uploads");
  const folder = (await readdir(uploads)).find((name) => name.startsWith(old)) ?? "";
  const yesterday = new Date(Date.now() - 25 * 3600 * 1000);
  await utimes(join(uploads, folder), yesterday, yesterday);
  assert.equal(await store.sweep(), 1);
  await assert.rejects(collect(multipart.parts(key, old)), withCode("not-found"));
  const late = bodyOf(bytesOf(2, 10));
  await assert.rejects(multipart.putPart(key, old, 2, late, { size: 10 }), withCode("not-found"));
  assert.ok(late.over && !late.ended, "its body was returned unread");
  assert.deepEqual(await collect(multipart.parts(key, recent)), []);
});

test("another process, or the same one later, goes on with an upload", async (t) => {
  const { root, store } = await storeIn(t);
  const upload = await store.multipart.create(key);
  await store.multipart.putPart(key, upload, 1, bodyOf(bytesOf(1, 100_000)), { size: 100_000 });
  const other = new FsStore(root);
  await other.multipart.putPart(key, upload, 2, bodyOf(bytesOf(2, 10)), { size: 10 });
  await other.multipart.complete(key, upload, await collect(other.multipart.parts(key, upload)));
  await other.close();
  assert.deepEqual(await getBytes(store, key), Buffer.concat([bytesOf(1, 100_000), bytesOf(2, 10)]));
  assert.deepEqual(await readdir(join(root, ".holdall", "uploads")), []);
});

test("of several processes that complete one upload, one does, and the object is written once", async (t) => {
  const { root, store } = await storeIn(t);
  const others = [new FsStore(root), new FsStore(root), new FsStore(root)];
  t.after(() => Promise.all(others.map((other) => other.close())));
  for (let round = 0; round < 10; round += 1) {
    const upload = await store.multipart.create(key);
    const part = await store.multipart.putPart(key, upload, 1, bodyOf(bytesOf(round, 100_000)), { size: 100_000 });
    const completing = [store, ...others].map((one) => one.multipart.complete(key, upload, [part]));
    const [lost, done] = partition(await Promise.allSettled(completing));
    assert.equal(done.length, 1);
    assert.ok(lost.every(withCode("not-found")));
    assert.equal((await store.stat(key))?.etag, done[0]?.etag);
  }
});

function partition<T>(results: readonly PromiseSettledResult<T>[]): [errors: unknown[], values: T[]] {
  const [errors, values]: [unknown[], T[]] = [[], []];
  for (const result of results) {
    if (result.status === "rejected") errors.push(result.reason);
    else values.push(result.value);
  }
  return [errors, values];
}

test("the name of an upload is good for its key only, and never a path", async (t) => {
  const { store } = await storeIn(t);
  const upload = await store.multipart.create(key);
  for (const [at, name] of [
    [parseKey("objects/two"), upload],
    [key, "../../objects"],
    [key, ""],
    [key, "0".repeat(32)],
  ] as const) {
    const put = store.multipart.putPart(at, name, 1, bodyOf(bytesOf(1, 10)), { size: 10 });
    await assert.rejects(put, withCode("not-found"));
  }
  for (const number of [0, -1, 1.5, 10_001, Number.NaN]) {
    const put = store.multipart.putPart(key, upload, number, bodyOf(bytesOf(1, 10)), { size: 10 });
    await assert.rejects(put, withCode("invalid"));
  }
  assert.deepEqual(await listKeys(store), []);
});

test("parts in another order are refused", async (t) => {
  const { store } = await storeIn(t);
  const { multipart } = store;
  const upload = await multipart.create(key);
  const one = await multipart.putPart(key, upload, 1, bodyOf(bytesOf(1, 10)), { size: 10 });
  const two = await multipart.putPart(key, upload, 2, bodyOf(bytesOf(2, 10)), { size: 10 });
  for (const parts of [
    [two, one],
    [one, one],
    [{ ...one, size: 11 }, two],
  ]) {
    await assert.rejects(multipart.complete(key, upload, parts), withCode("invalid"));
  }
  await multipart.complete(key, upload, [one, two]);
});
