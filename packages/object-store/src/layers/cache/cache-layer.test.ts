import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/folder.ts";
import {
  assertBytes,
  assertSameStat,
  bodyOf,
  bytesOf,
  getBytes,
  KiB,
  MiB,
  putBytes,
  readBody,
  withCode,
} from "../../contract/contract-test.ts";
import { FsStore } from "../../fs/store.ts";
import { parseKey } from "../../key.ts";
import { CacheLayer } from "./cache-layer.ts";
import { cached, filesOf, read, stored } from "./fixtures/cached.ts";

const SIZES = [1, 1000, 65_532, 65_533, 120 * KiB, 128 * KiB, MiB - 1, 3 * MiB + 12_345];

test("an object is read once from the store, and then from the cache, with all that the store says of it", async (t) => {
  const { upstream, cache } = await cached(t);
  for (const size of SIZES) {
    const key = await stored(upstream, `objects/${size}`, size, size);
    for (const borrow of [false, true, false, true]) {
      const object = await cache.get(key, { immutable: true, borrow });
      const stat = await upstream.stat(key);
      assert.ok(stat !== undefined);
      assertSameStat(object, stat);
      assert.deepEqual(object.range, { start: 0, length: size });
      const chunks: Buffer[] = [];
      for await (const chunk of object.body) chunks.push(Buffer.from(chunk));
      assertBytes(Buffer.concat(chunks), bytesOf(size, size));
    }
  }
  assert.deepEqual(
    upstream.asked,
    SIZES.map((size) => `objects/${size}`),
  );
  const total = SIZES.reduce((sum, size) => sum + size, 0);
  const { used, ...counts } = cache.stats;
  assert.deepEqual(counts, {
    hits: 3 * SIZES.length,
    joined: 0,
    misses: SIZES.length,
    passed: 0,
    bytes: 3 * total,
    evicted: 0,
    healed: 0,
    entries: SIZES.length,
  });
  assert.ok(used > total && used < total + SIZES.length * 8 * KiB + total / 1000, String(used));
});

test("chunks that are not lent stay as they are", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, 3 * MiB);
  for (let i = 0; i < 3; i += 1) {
    const { body } = await cache.get(key, { immutable: true });
    assertBytes(await readBody(body), bytesOf(1, 3 * MiB));
  }
});

test("sixteen misses at once are one read of the store", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, 5 * MiB);
  const bodies = await Promise.all(Array.from({ length: 16 }, () => read(cache, key)));
  for (const body of bodies) assertBytes(body, bytesOf(1, 5 * MiB));
  assert.deepEqual(upstream.asked, ["one"]);
  assert.equal(cache.stats.misses, 1);
  assert.equal(cache.stats.joined, 15);
});

test("what is not immutable is never answered from the cache, nor kept", async (t) => {
  const { upstream, cache, path } = await cached(t);
  const key = await stored(upstream, "one", 1, 1000);
  await getBytes(cache, key);
  await read(cache, key);
  await getBytes(cache, key);
  assert.deepEqual(upstream.asked, ["one", "one", "one"]);
  assert.equal((await filesOf(path, "entries")).length, 1);
});

test("what is cached is there without the store", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, MiB);
  await read(cache, key);
  await upstream.delete(key);
  assertBytes(await read(cache, key), bytesOf(1, MiB));
});

test("a range that misses is passed on and not kept; from an entry all ranges come", async (t) => {
  const { upstream, cache, path } = await cached(t);
  const key = await stored(upstream, "one", 1, 2 * MiB);
  assertBytes(await read(cache, key, { range: { start: 5, end: 9 } }), bytesOf(1, 2 * MiB).subarray(5, 10));
  assert.deepEqual(await filesOf(path, "entries"), []);
  await read(cache, key);
  assertBytes(await read(cache, key, { range: { start: MiB } }), bytesOf(1, 2 * MiB).subarray(MiB));
  await assert.rejects(cache.get(key, { immutable: true, range: { start: 2 * MiB } }), withCode("invalid"));
  assert.deepEqual(upstream.asked, ["one 5-9", "one"]);
  assert.equal(cache.stats.passed, 1);
});

test("objects that are too large, or empty, are passed on: each reader asks the store once", async (t) => {
  const { upstream, cache, path } = await cached(t, { size: 10 * MiB });
  const large = await stored(upstream, "large", 1, 5 * MiB);
  const empty = await stored(upstream, "empty", 2, 0);
  const bodies = await Promise.all([1, 2, 3].map(() => read(cache, large)));
  for (const body of bodies) assertBytes(body, bytesOf(1, 5 * MiB));
  assert.deepEqual(upstream.asked, ["large", "large", "large"]);
  assertBytes(await read(cache, empty), bytesOf(2, 0));
  assert.equal(upstream.open, 0);
  assert.deepEqual(await filesOf(path, "entries"), []);
  assert.deepEqual(await filesOf(path, "fills"), []);
  assert.equal(cache.stats.passed, 4);
  assert.equal(cache.stats.used, 0);
});

test("an object too large to keep ends with the reason of its reader's signal", async (t) => {
  const { upstream, cache } = await cached(t, { size: MiB });
  const key = await stored(upstream, "large", 1, 5 * MiB);
  const controller = new AbortController();
  const { body } = await cache.get(key, { immutable: true, signal: controller.signal });
  const chunks = body[Symbol.asyncIterator]();
  await chunks.next();
  const reason = new Error("the caller's reason");
  controller.abort(reason);
  await assert.rejects(chunks.next(), reason);
  assert.equal(upstream.open, 0);
});

test("an object that is absent is asked for each time", async (t) => {
  const { upstream, cache, path } = await cached(t);
  for (let i = 0; i < 2; i += 1) await assert.rejects(read(cache, parseKey("absent")), withCode("not-found"));
  assert.deepEqual(upstream.asked, ["absent", "absent"]);
  assert.deepEqual(await filesOf(path, "fills"), []);
  await stored(upstream, "absent", 1, 10);
  assertBytes(await read(cache, parseKey("absent")), bytesOf(1, 10));
});

test("an object that is replaced, copied over or removed is not in the cache any more", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, MiB);
  const other = await stored(upstream, "other", 2, MiB);
  await read(cache, key);
  await putBytes(cache, key, bytesOf(3, 100));
  assertBytes(await read(cache, key), bytesOf(3, 100));
  await cache.copy(other, key);
  assertBytes(await read(cache, key), bytesOf(2, MiB));
  await cache.delete(key);
  await assert.rejects(read(cache, key), withCode("not-found"));
  assert.equal(cache.stats.entries, 0);
});

test("an object that is replaced by an upload in parts is not in the cache any more", async (t) => {
  const folder = await temporaryFolder(t);
  const cache = new CacheLayer(new FsStore(join(folder, "store")), {
    path: join(folder, "cache"),
    size: MiB,
    store: "it",
  });
  const { multipart } = cache;
  assert.ok(multipart !== undefined);
  const key = parseKey("one");
  await putBytes(cache, key, bytesOf(1, 1000));
  await read(cache, key);
  const upload = await multipart.create(key);
  const part = await multipart.putPart(key, upload, 1, bodyOf(bytesOf(2, 2000)), { size: 2000 });
  assertBytes(await read(cache, key), bytesOf(1, 1000));
  assert.equal(cache.stats.hits, 1);
  await multipart.complete(key, upload, [part]);
  assertBytes(await read(cache, key), bytesOf(2, 2000));
  await cache.close();
});

test("an object whose description is too long for an entry is passed on", async (t) => {
  const { upstream, cache, faults } = await cached(t, { store: "x".repeat(4096) });
  const key = await stored(upstream, "one", 1, 1000);
  for (let i = 0; i < 2; i += 1) assertBytes(await read(cache, key), bytesOf(1, 1000));
  assert.deepEqual(upstream.asked, ["one", "one"]);
  assert.deepEqual(faults, []);
});

test("a put that finds the object there leaves the entry, one that may have changed it does not", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, 1000);
  await read(cache, key);
  await assert.rejects(putBytes(cache, key, bytesOf(1, 1000), { ifAbsent: true }), withCode("conflict"));
  await read(cache, key);
  assert.deepEqual(upstream.asked, ["one"]);
  await assert.rejects(putBytes(cache, key, bytesOf(2, 1000), { size: 999 }), withCode("invalid"));
  await read(cache, key);
  assert.deepEqual(upstream.asked, ["one", "one"]);
});

test("what was being read while the object was replaced is finished as it was, and not kept", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, 2 * MiB);
  const before = await cache.get(key, { immutable: true });
  await putBytes(cache, key, bytesOf(2, 2 * MiB));
  const after = await cache.get(key, { immutable: true });
  assertBytes(await readBody(before.body), bytesOf(1, 2 * MiB));
  assertBytes(await readBody(after.body), bytesOf(2, 2 * MiB));
  assertBytes(await read(cache, key), bytesOf(2, 2 * MiB));
  assert.deepEqual(upstream.asked, ["one", "one"]);
});
