import assert from "node:assert/strict";
import { mkdir, open, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { assertBytes, begin, bytesOf, KiB, MiB, putBytes, readBody, withCode } from "../../contract/contract-test.ts";
import type { ObjectKey } from "../../key.ts";
import { cached, filesOf, read, stored, type Cached } from "./fixtures/cached.ts";

/** An object in the cache, and the file of its entry. */
async function kept(
  t: TestContext,
  size: number,
): Promise<Cached & { readonly key: ObjectKey; readonly entry: string }> {
  const run = await cached(t);
  const key = await stored(run.upstream, "one", 1, size);
  await read(run.cache, key);
  const [entry] = await filesOf(run.path, "entries");
  assert.ok(entry !== undefined);
  run.upstream.asked.length = 0;
  return { ...run, key, entry };
}

/** Changes one bit. */
async function damage(file: string, position: number): Promise<void> {
  await using handle = await open(file, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte.writeUInt8(byte.readUInt8() ^ 0x10);
  await handle.write(byte, 0, 1, position);
}

const SMALL = 100 * KiB;
const LARGE = 5 * MiB + 77;

for (const [what, spoil] of [
  ["a damaged header", (entry: string) => damage(entry, 40)],
  ["another format", (entry: string) => damage(entry, 15)],
  ["a short file", (entry: string) => truncate(entry, 50_000)],
  ["a long file", (entry: string) => writeFile(entry, "more", { flag: "a" })],
  ["an empty file", (entry: string) => truncate(entry, 0)],
  ["a missing file", (entry: string) => rm(entry)],
  ["a foreign file", (entry: string) => writeFile(entry, bytesOf(9, 20_000))],
  [
    "zeros where a power cut lost the bytes",
    (entry: string) => truncate(entry, 5000).then(() => truncate(entry, SMALL)),
  ],
  ["a link that leads nowhere", (entry: string) => rm(entry).then(() => symlink("nowhere", entry))],
] as const) {
  for (const size of [SMALL, LARGE]) {
    test(`${what} in place of an entry of ${size} bytes is replaced, and nobody notices`, async (t) => {
      const { upstream, cache, key, entry, faults } = await kept(t, size);
      await spoil(entry);
      for (let i = 0; i < 2; i += 1) assertBytes(await read(cache, key), bytesOf(1, size));
      assert.deepEqual(upstream.asked, ["one"]);
      assert.deepEqual(faults, []);
    });
  }
}

test("the entry of another object under its name is not taken for it", async (t) => {
  const { upstream, cache, path, key, entry } = await kept(t, SMALL);
  const other = await stored(upstream, "other", 2, SMALL);
  await read(cache, other);
  const theirs = (await filesOf(path, "entries")).find((file) => file !== entry);
  assert.ok(theirs !== undefined);
  await rename(theirs, entry);
  assertBytes(await read(cache, key), bytesOf(1, SMALL));
  assertBytes(await read(cache, other), bytesOf(2, SMALL));
  assert.deepEqual(upstream.asked, ["other", "one", "other"]);
});

test("wherever an entry is damaged, each range of it comes right, and at most once from the store", async (t) => {
  for (const size of [SMALL, LARGE]) {
    const { upstream, cache, key, entry } = await kept(t, size);
    const good = await readFile(entry);
    const range = fc
      .tuple(fc.nat(size - 1), fc.nat(size - 1))
      .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), range, async (position, { start, end }) => {
        upstream.asked.length = 0;
        await writeFile(entry, good);
        await damage(entry, position);
        assertBytes(await read(cache, key, { range: { start, end } }), bytesOf(1, size).subarray(start, end + 1));
        assert.ok(upstream.asked.length <= 1);
      }),
      { seed: 20_260_102, numRuns: 60 },
    );
  }
});

test("frames that have changed places are damage", async (t) => {
  const { cache, key, entry } = await kept(t, LARGE);
  const bytes = await readFile(entry);
  const [header, frame] = [4096, 64 * KiB];
  const first = Buffer.from(bytes.subarray(header, header + frame));
  bytes.copyWithin(header, header + frame, header + 2 * frame);
  bytes.set(first, header + frame);
  await writeFile(entry, bytes);
  assertBytes(await read(cache, key), bytesOf(1, LARGE));
  assert.equal(cache.stats.healed, 1);
});

test("a read goes on from the store at the byte where the entry is damaged, and the entry is gone", async (t) => {
  const { upstream, cache, key, path, entry } = await kept(t, LARGE);
  await damage(entry, 3 * MiB);
  assertBytes(await read(cache, key), bytesOf(1, LARGE));
  assert.equal(upstream.asked.length, 1);
  const [, start = ""] = /^one (\d+)-/.exec(upstream.asked[0] ?? "") ?? [];
  assert.ok(Number(start) > MiB && Number(start) < 3 * MiB, `it went on at ${start}`);
  assert.deepEqual(await filesOf(path, "entries"), []);
  assert.equal(cache.stats.healed, 1);
  assert.equal(upstream.open, 0);
});

test("what is damaged while it is read comes right", async (t) => {
  const { cache, key, entry } = await kept(t, LARGE);
  const { first, rest } = await begin(await cache.get(key, { immutable: true }));
  await truncate(entry, 10_000);
  assertBytes(Buffer.concat([first, await readBody({ [Symbol.asyncIterator]: () => rest })]), bytesOf(1, LARGE));
});

test("where the store has another version by now, a damaged entry is an error, and then that version", async (t) => {
  const { upstream, cache, key, entry } = await kept(t, LARGE);
  await damage(entry, 3 * MiB);
  // Past the cache, as another server does.
  await putBytes(upstream, key, bytesOf(2, LARGE));
  await assert.rejects(read(cache, key), withCode("unavailable"));
  assert.equal(upstream.open, 0);
  assertBytes(await read(cache, key), bytesOf(2, LARGE));
});

test("a reader that leaves while the store is asked in the place of a damaged entry leaves nothing open", async (t) => {
  const { upstream, cache, key, entry } = await kept(t, LARGE);
  await damage(entry, 5000);
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  upstream.before = async () => {
    asked.resolve();
    await answer.promise;
  };
  const chunks = (await cache.get(key, { immutable: true })).body[Symbol.asyncIterator]();
  const [next] = [chunks.next(), await asked.promise];
  const left = chunks.return?.();
  answer.resolve();
  assert.equal((await next).done, true);
  await left;
  assert.equal(upstream.open, 0);
});

test("a folder in place of an entry cannot be removed: the object is passed on, and the fault is told", async (t) => {
  const { upstream, cache, key, entry, faults } = await kept(t, SMALL);
  await rm(entry);
  await mkdir(entry);
  for (let i = 0; i < 2; i += 1) assertBytes(await read(cache, key), bytesOf(1, SMALL));
  assert.deepEqual(upstream.asked, ["one", "one"]);
  assert.equal(faults.length, 1);
});
