import assert from "node:assert/strict";
import fc from "fast-check";
import { parseKey } from "../key.ts";
import type { ByteRange, ObjectStore } from "../port.ts";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  begin,
  bytesOf,
  collect,
  getBytes,
  key,
  KiB,
  MiB,
  putBytes,
  readBody,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

const SIZES = [1, 64 * KiB, MiB - 1, MiB, MiB + 1, 2 * MiB, 3 * MiB + 12_345];

/** Ranges that start inside, in all lengths from one byte to past the end, with weight on edges of a mebibyte. */
function rangesOf(size: number): fc.Arbitrary<ByteRange> {
  const anywhere = fc.integer({ min: 0, max: size - 1 });
  const edges = [0, 1, MiB - 1, MiB, MiB + 1, 2 * MiB, size - MiB - 1, size - MiB, size - 1].filter(
    (at) => at >= 0 && at < size,
  );
  const start = fc.oneof(anywhere, fc.constantFrom(...edges));
  const length = fc.oneof(fc.constantFrom(1, MiB - 1, MiB, MiB + 1), fc.integer({ min: 1, max: size + 10 }));
  return fc
    .tuple(start, fc.option(length, { nil: undefined }))
    .map(([start, length]) => (length === undefined ? { start } : { start, end: start + length - 1 }));
}

/** Copies each chunk before it asks for the next. */
async function readLent(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function refuses(store: ObjectStore, range: ByteRange): Promise<void> {
  await assert.rejects(store.get(key, { range }), withCode("invalid"));
}

export const readingTests: readonly ContractTest[] = [
  {
    title: "what is absent has no stat, cannot be got and is not listed",
    run: async (store) => {
      await assertAbsent(store, key);
      await putBytes(store, parseKey("objects/one-more"), bytesOf(1, 10));
      await putBytes(store, parseKey("objects/on"), bytesOf(1, 10));
      await assertAbsent(store, key);
    },
  },
  {
    title: "put, stat, get and list tell the same about an object",
    run: async (store) => {
      const before = Date.now();
      const version = await putBytes(store, key, bytesOf(1, 100_000));
      assert.equal(version.key, key);
      assert.equal(version.size, 100_000);
      const stat = await store.stat(key);
      assertSameStat(stat, version);
      assert.ok(stat !== undefined);
      assert.ok(Math.abs(stat.modifiedAt.getTime() - before) < 60_000, "it was modified now");
      const object = await store.get(key);
      assertSameStat(object, stat);
      assert.deepEqual(object.range, { start: 0, length: 100_000 });
      assertBytes(await readBody(object.body), bytesOf(1, 100_000));
      const listed = await collect(store.list(""));
      assert.equal(listed.length, 1);
      assertSameStat(listed[0], stat);
    },
  },
  {
    title: "an object of no bytes is an object",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 0));
      const object = await store.get(key);
      assert.equal(object.size, 0);
      assert.deepEqual(object.range, { start: 0, length: 0 });
      assertBytes(await readBody(object.body), bytesOf(1, 0));
      assert.equal((await store.stat(key))?.size, 0);
      await refuses(store, { start: 0 });
      await refuses(store, { start: 0, end: 0 });
    },
  },
  {
    title: "any range of objects of any size delivers those bytes",
    run: async (store) => {
      for (const size of SIZES) {
        const bytes = bytesOf(size, size);
        await putBytes(store, key, bytes);
        await fc.assert(
          fc.asyncProperty(rangesOf(size), async (range) => {
            const object = await store.get(key, { range });
            const expected = bytes.subarray(range.start, range.end === undefined ? size : range.end + 1);
            assert.deepEqual(object.range, { start: range.start, length: expected.length });
            assert.equal(object.size, size);
            assertBytes(await readBody(object.body), expected);
          }),
          { seed: 20_260_101, numRuns: 40 },
        );
      }
    },
  },
  {
    title: "a range that starts at or after the end, or is none, is invalid",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 1000));
      await refuses(store, { start: 1000 });
      await refuses(store, { start: 1000, end: 1000 });
      await refuses(store, { start: Number.MAX_SAFE_INTEGER });
      await refuses(store, { start: 10, end: 9 });
      await refuses(store, { start: -1 });
      await refuses(store, { start: -5, end: 5 });
      await refuses(store, { start: 0.5 });
      await refuses(store, { start: Number.NaN });
      await refuses(store, { start: 0, end: Number.POSITIVE_INFINITY });
    },
  },
  {
    title: "a body delivers one version while the key is replaced and deleted",
    run: async (store) => {
      const old = bytesOf(1, 5 * MiB + 1);
      await putBytes(store, key, old);
      const { first, rest } = await begin(await store.get(key));
      const { first: second, rest: more } = await begin(await store.get(key));
      await putBytes(store, key, bytesOf(2, 5 * MiB + 1));
      assertBytes(Buffer.concat([first, await readBody({ [Symbol.asyncIterator]: () => rest })]), old);
      await store.delete(key);
      assertBytes(Buffer.concat([second, await readBody({ [Symbol.asyncIterator]: () => more })]), old);
      await assertAbsent(store, key);
    },
  },
  {
    title: "a body that has been read has nothing more to give",
    run: async (store) => {
      for (const size of [1000, 3 * MiB]) {
        await putBytes(store, key, bytesOf(1, size));
        const { body } = await store.get(key);
        assert.equal((await readBody(body)).length, size);
        assert.equal((await readBody(body)).length, 0);
      }
    },
  },
  {
    title: "many readers of one object each get all of it",
    run: async (store) => {
      const bytes = bytesOf(1, 2 * MiB + 7);
      await putBytes(store, key, bytes);
      const copies = await Promise.all(Array.from({ length: 16 }, () => getBytes(store, key)));
      for (const copy of copies) assertBytes(copy, bytes);
    },
  },
  {
    title:
      "lent chunks are right as long as each is looked at before the next is asked for, however many bodies at once",
    run: async (store) => {
      const keys = SIZES.map((size) => parseKey(`objects/${size}`));
      for (const [index, size] of SIZES.entries()) await putBytes(store, keys[index] ?? key, bytesOf(index, size));
      const readings = Array.from({ length: 4 }, () => [...SIZES.entries()]).flat();
      await Promise.all(
        readings.map(async ([index, size]) => {
          const { body } = await store.get(keys[index] ?? key, { borrow: true, immutable: true });
          assertBytes(await readLent(body), bytesOf(index, size));
        }),
      );
    },
  },
  {
    title: "an immutable object that is removed and stored anew is read as it is now",
    run: async (store) => {
      for (const size of [100, 2 * MiB]) {
        for (const borrow of [false, true]) {
          const read = async (): Promise<Buffer> => {
            const { body } = await store.get(key, { immutable: true, borrow });
            return await (borrow ? readLent(body) : readBody(body));
          };
          await putBytes(store, key, bytesOf(1, size));
          for (let i = 0; i < 4; i++) assertBytes(await read(), bytesOf(1, size));
          await store.delete(key);
          await assert.rejects(read(), withCode("not-found"));
          await putBytes(store, key, bytesOf(2, size - 1));
          for (let i = 0; i < 4; i++) assertBytes(await read(), bytesOf(2, size - 1));
          await store.delete(key);
        }
      }
    },
  },
  {
    title: "ranges of an immutable object are right, however often it was read",
    run: async (store) => {
      const bytes = bytesOf(1, 1000);
      await putBytes(store, key, bytes);
      for (let i = 0; i < 4; i++) {
        for (const [start, end] of [
          [0, 0],
          [10, 19],
          [0, 999],
          [999, 5000],
        ] as const) {
          const { body } = await store.get(key, { immutable: true, borrow: true, range: { start, end } });
          assertBytes(await readLent(body), bytes.subarray(start, end + 1));
        }
      }
    },
  },
];
