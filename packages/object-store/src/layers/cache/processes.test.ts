import assert from "node:assert/strict";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../../../../test/support/eventually.ts";
import { Child } from "../../../test/child.ts";
import { temporaryFolder } from "../../../test/folder.ts";
import { assertBytes, begin, bytesOf, KiB, MiB, putBytes, readBody } from "../../contract/contract-test.ts";
import { FsStore } from "../../fs/store.ts";
import { lstat } from "../../fs/calls.ts";
import { parseKey } from "../../key.ts";
import { bytesIn, cached, filesOf, read, stored } from "./fixtures/cached.ts";
import { Upstream, Valve } from "./fixtures/upstream.ts";

// Two caches on one folder have nothing in common but the folder: they are what two processes are to each other.

test("what one process has kept, the others find", async (t) => {
  const { upstream, cache: one, path } = await cached(t, { processes: 2 });
  const { cache: other } = await cached(t, { upstream, path, processes: 2 });
  for (const size of [1000, 3 * MiB]) {
    const key = await stored(upstream, `objects/${size}`, size, size);
    await read(one, key);
    assertBytes(await read(other, key), bytesOf(size, size));
  }
  assert.equal(upstream.asked.length, 2);
  await read(other, await stored(upstream, "theirs", 3, 1000));
  await read(one, parseKey("theirs"));
  assert.equal(upstream.asked.length, 3);
  assert.deepEqual((await readdir(path)).sort(), ["0", "0.lock", "1", "1.lock"]);
});

test("what one process changes, the others do not take from the cache, though they had kept or were reading it", async (t) => {
  const upstream = new Upstream();
  const { cache: one, path } = await cached(t, { upstream, processes: 2 });
  const { cache: other } = await cached(t, { upstream, path, processes: 2 });
  const [kept, filling, opening] = await Promise.all(
    ["kept", "filling", "opening"].map((name, seed) => stored(upstream, name, seed, 2 * MiB)),
  );
  assert.ok(kept !== undefined && filling !== undefined && opening !== undefined);
  await read(one, kept);
  upstream.valve = new Valve();
  upstream.valve.let(100 * KiB);
  const half = await begin(await one.get(filling, { immutable: true }));
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  upstream.before = async () => {
    asked.resolve();
    await answer.promise;
  };
  const late = one.get(opening, { immutable: true });
  await asked.promise;

  for (const key of [kept, filling, opening]) await putBytes(other, key, bytesOf(9, 2 * MiB));
  upstream.before = undefined;
  answer.resolve();
  upstream.valve.let(20 * MiB);

  // What had begun ends as it began, and is not kept.
  const old = await readBody({ [Symbol.asyncIterator]: () => half.rest });
  assertBytes(Buffer.concat([half.first, old]), bytesOf(1, 2 * MiB));
  await readBody((await late).body);
  assert.deepEqual(await filesOf(path, "entries"), []);
  for (const key of [kept, filling, opening]) {
    for (const cache of [one, other]) assertBytes(await read(cache, key), bytesOf(9, 2 * MiB));
  }
});

test("a reader does not join what another process has dropped", async (t) => {
  const upstream = new Upstream();
  const { cache: one, path } = await cached(t, { upstream, processes: 2 });
  const { cache: other } = await cached(t, { upstream, path, processes: 2 });
  const key = await stored(upstream, "one", 1, 2 * MiB);
  upstream.valve = new Valve();
  upstream.valve.let(100 * KiB);
  const { rest } = await begin(await one.get(key, { immutable: true }));
  await putBytes(other, key, bytesOf(2, 2 * MiB));
  const anew = await one.get(key, { immutable: true });
  upstream.valve.let(20 * MiB);
  assertBytes(await readBody(anew.body), bytesOf(2, 2 * MiB));
  await rest.return?.();
});

test("what another process reads stays longer", async (t) => {
  const { upstream, cache: one, path } = await cached(t, { size: 2 * MiB, processes: 2 });
  const { cache: other } = await cached(t, { upstream, path, size: 2 * MiB, processes: 2 });
  const keys = await Promise.all(["a", "b"].map((name, seed) => stored(upstream, name, seed, 400 * KiB)));
  const [a, b] = keys;
  assert.ok(a !== undefined && b !== undefined);
  await read(one, a);
  const [file] = await filesOf(path, "entries");
  assert.ok(file !== undefined);
  await read(one, b);
  const before = Date.now() / 1000 - 600;
  for (const entry of await filesOf(path, "entries")) await utimes(entry, before, before);
  await read(other, a);
  await eventually("the entry says that it was used", async () => (await lstat(file)).mtimeMs > Date.now() - 300_000);
  await read(one, await stored(upstream, "c", 3, 400 * KiB));
  upstream.asked.length = 0;
  await read(one, a);
  assert.deepEqual(upstream.asked, []);
  await read(one, b);
  assert.deepEqual(upstream.asked, ["b"]);
});

test("a process for which there is no share reads what the others keep, and keeps nothing", async (t) => {
  let now = 0;
  const { upstream, cache: one, path } = await cached(t);
  const { cache: other, faults } = await cached(t, { upstream, path, now: () => now });
  await read(one, await stored(upstream, "one", 1, 1000));
  const two = await stored(upstream, "two", 2, 1000);
  for (let i = 0; i < 3; i += 1) await read(other, two);
  await read(other, parseKey("one"));
  assert.deepEqual(upstream.asked, ["one", "two", "two", "two"]);
  assert.equal(faults.length, 1);
  await one.close();
  now = 60_000;
  for (let i = 0; i < 2; i += 1) await read(other, two);
  assert.equal(upstream.asked.length, 5);
});

test("kill -9 in the middle leaves nothing but what the next start or sweep removes", async (t) => {
  const path = join(await temporaryFolder(t), "cache");
  for (const clear of ["start", "sweep"] as const) {
    const child = new Child(t, "cache-fill", path);
    assert.equal((await child.lines.next()).value, "begun");
    const { upstream, cache } = await cached(t, { path });
    assert.equal(await cache.sweep(), 0, "its process is alive");
    await child.kill();
    assert.equal((await filesOf(path, "fills")).length, 1);
    assert.deepEqual(await filesOf(path, "entries"), []);
    if (clear === "sweep") assert.equal(await cache.sweep(), 1);
    const key = await stored(upstream, "one", 1, 2 * MiB);
    for (let i = 0; i < 2; i += 1) assertBytes(await read(cache, key), bytesOf(1, 2 * MiB));
    assert.deepEqual(await filesOf(path, "fills"), []);
    assert.deepEqual(upstream.asked, ["one"]);
    await cache.delete(key);
    await cache.close();
  }
});

test("a sweep removes the shares of processes that there are no more, and leaves what is not of the cache", async (t) => {
  const upstream = new Upstream();
  const { cache: one, path } = await cached(t, { upstream, processes: 2 });
  const { cache: other } = await cached(t, { upstream, path, processes: 2 });
  await read(one, await stored(upstream, "one", 1, 1000));
  await read(other, await stored(upstream, "two", 2, 1000));
  await other.close();
  await writeFile(join(path, "mine.txt"), "");
  await writeFile(join(path, "1", "mine.txt"), "");
  await one.close();
  const { cache: alone } = await cached(t, { upstream, path });
  assert.equal(await alone.sweep(), 0);
  assert.deepEqual((await readdir(path)).sort(), ["0", "0.lock", "1", "1.lock", "mine.txt"]);
  assert.deepEqual(await readdir(join(path, "1")), ["mine.txt"]);
  await read(alone, parseKey("one"));
  assert.equal(upstream.asked.length, 2);
});

test("processes that read and replace the same objects at once all get the right bytes, within the bound", async (t) => {
  const folder = await temporaryFolder(t);
  const [path, objects] = [join(folder, "cache"), join(folder, "store")];
  const store = new FsStore(objects);
  const sizes = [1, 70_000, 200 * KiB, 400 * KiB, 700 * KiB, MiB];
  for (let seed = 0; seed < 30; seed += 1) {
    const size = sizes[seed % sizes.length] ?? 0;
    await putBytes(store, parseKey(`objects/${seed}/${size}`), bytesOf(seed, size));
  }
  await store.close();
  const size = 6 * MiB;
  const children = [1, 2, 3].map(
    (seed) => new Child(t, "cache-readers", path, objects, "3", String(size), "40", String(seed)),
  );
  let most = 0;
  let hits = 0;
  await Promise.all(
    children.map(async ({ lines }) => {
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
        most = Math.max(most, await bytesIn(path));
        hits += Number(line.value);
      }
    }),
  );
  for (const child of children) await child.end();
  assert.ok(most > size / 2 && most <= size, `${most} bytes at most`);
  assert.ok(hits > 0);
  assert.deepEqual(await filesOf(path, "fills"), []);
});
