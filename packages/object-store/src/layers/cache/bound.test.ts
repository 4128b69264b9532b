import assert from "node:assert/strict";
import { utimes } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { assertBytes, bytesOf, KiB, MiB, putBytes } from "../../contract/contract-test.ts";
import { parseKey, type ObjectKey } from "../../key.ts";
import { bytesIn, cached, filesOf, read, stored, type Cached } from "./fixtures/cached.ts";
import { Upstream } from "./fixtures/upstream.ts";
import { roomFor } from "./format.ts";

const SIZE = MiB;
/** Of the objects of a run: some take little, some half of all, and one is too large. */
const SIZES = [
  1,
  5 * KiB,
  60 * KiB,
  65_532,
  100 * KiB,
  150 * KiB,
  200 * KiB,
  300 * KiB,
  400 * KiB,
  500 * KiB,
  600 * KiB,
];

function keyOf(object: number): ObjectKey {
  return parseKey(`objects/${object}`);
}

/** What the cache holds, by the rules. */
class Model {
  readonly #held: number[] = [];

  has(object: number): boolean {
    return this.#held.includes(object);
  }

  /** @returns whether the store has to be asked */
  read(object: number): boolean {
    const held = this.has(object);
    this.drop(object);
    const room = roomOf(object);
    if (room > SIZE / 2) return true;
    while (this.used > SIZE - room) this.#held.shift();
    this.#held.push(object);
    return !held;
  }

  drop(object: number): void {
    const at = this.#held.indexOf(object);
    if (at >= 0) this.#held.splice(at, 1);
  }

  get used(): number {
    return this.#held.reduce((sum, object) => sum + roomOf(object), 0);
  }
}

function roomOf(object: number): number {
  return roomFor(SIZES[object] ?? 0);
}

test("whatever is read and dropped, the least recently used goes first, and no more is kept than there is room for", async (t) => {
  const object = fc.nat(SIZES.length - 1);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ read: object }) },
    { weight: 1, arbitrary: fc.record({ put: object }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const { upstream, cache, path } = await cached(t, { size: SIZE });
      const model = new Model();
      for (const [seed, size] of SIZES.entries()) await stored(upstream, keyOf(seed), seed, size);
      for (const step of steps) {
        if ("put" in step) {
          await putBytes(cache, keyOf(step.put), bytesOf(step.put, SIZES[step.put] ?? 0));
          model.drop(step.put);
        } else {
          upstream.asked.length = 0;
          assertBytes(await read(cache, keyOf(step.read)), bytesOf(step.read, SIZES[step.read] ?? 0));
          assert.deepEqual(upstream.asked, model.read(step.read) ? [keyOf(step.read)] : []);
        }
        assert.equal(cache.stats.used, model.used);
      }
      assert.ok((await bytesIn(path)) <= model.used);
      await cache.close();
    }),
    { seed: 20_260_103, numRuns: 30 },
  );
});

test("the bound holds while many objects come at once, over restarts too, and every reader gets the right bytes", async (t) => {
  const object = fc.nat(SIZES.length - 1);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(object, { minLength: 1, maxLength: 12 }), { maxLength: 6 }), async (rounds) => {
      const upstream = new Upstream();
      let most = 0;
      let run: Cached | undefined;
      upstream.before = async () => {
        most = Math.max(most, await bytesIn(run?.path ?? ""));
        assert.ok((run?.cache.stats.used ?? 0) <= SIZE);
      };
      for (const [seed, size] of SIZES.entries()) await stored(upstream, keyOf(seed), seed, size);
      for (const objects of rounds) {
        run = await cached(t, { upstream, size: SIZE, ...(run === undefined ? {} : { path: run.path }) });
        const { cache } = run;
        await Promise.all(
          objects.map(async (one) => assertBytes(await read(cache, keyOf(one)), bytesOf(one, SIZES[one] ?? 0))),
        );
        assert.deepEqual(run.faults, []);
        assert.deepEqual(await filesOf(run.path, "fills"), []);
        most = Math.max(most, await bytesIn(run.path));
        await cache.close();
      }
      assert.ok(most <= SIZE, `${most} bytes`);
    }),
    { seed: 20_260_104, numRuns: 30 },
  );
});

test("what was kept is there after a restart, and goes in the order of its last use", async (t) => {
  const { upstream, cache, path } = await cached(t, { size: SIZE });
  const names = ["a", "b", "c", "d"];
  const minutesAgo = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const key = await stored(upstream, name, index, 200 * KiB);
    const before = new Set(await filesOf(path, "entries"));
    await read(cache, key);
    const file = (await filesOf(path, "entries")).find((entry) => !before.has(entry));
    assert.ok(file !== undefined);
    // The first was used last.
    minutesAgo.set(file, 10 * (index + 1));
  }
  await cache.close();
  for (const [file, minutes] of minutesAgo) {
    const time = Date.now() / 1000 - minutes * 60;
    await utimes(file, time, time);
  }

  const { cache: again } = await cached(t, { upstream, path, size: SIZE });
  upstream.asked.length = 0;
  await read(again, await stored(upstream, "new", 9, 400 * KiB));
  for (const name of ["a", "b"]) await read(again, parseKey(name));
  assert.deepEqual(upstream.asked, ["new"]);
  assert.equal(again.stats.evicted, 2);
  for (const name of ["c", "d"]) await read(again, parseKey(name));
  assert.deepEqual(upstream.asked, ["new", "c", "d"]);
});

test("entries that were used in the future, before the clock was put back, go all the same", async (t) => {
  const { upstream, cache, path } = await cached(t, { size: SIZE });
  const keys = await Promise.all([1, 2].map((seed) => stored(upstream, `objects/${seed}`, seed, 400 * KiB)));
  for (const key of keys) await read(cache, key);
  const tomorrow = Date.now() / 1000 + 86_400;
  for (const file of await filesOf(path, "entries")) await utimes(file, tomorrow, tomorrow);
  await read(cache, await stored(upstream, "new", 3, 400 * KiB));
  assert.equal(cache.stats.evicted, 1);
  assert.ok((await bytesIn(path)) <= SIZE);
});

test("a cache that has become smaller forgets what there is no room for", async (t) => {
  const { upstream, cache, path } = await cached(t, { size: 4 * MiB });
  for (let i = 0; i < 10; i += 1) await read(cache, await stored(upstream, `objects/${i}`, i, 300 * KiB));
  await cache.close();
  assert.ok((await bytesIn(path)) > 2 * SIZE);
  const { cache: smaller } = await cached(t, { upstream, path, size: SIZE });
  await read(smaller, await stored(upstream, "new", 99, 1000));
  assert.ok((await bytesIn(path)) <= SIZE);
  assert.ok(smaller.stats.used <= SIZE);
});

test("an entry that makes room is read to the end by whoever reads it", async (t) => {
  const { upstream, cache } = await cached(t, { size: 4 * MiB });
  const key = await stored(upstream, "one", 1, 2 * MiB - 100 * KiB);
  await read(cache, key);
  const { body } = await cache.get(key, { immutable: true });
  const chunks = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  for (let i = 0; i < 4; i += 1) await read(cache, await stored(upstream, `other/${i}`, i, 1000 * KiB));
  assert.equal(cache.stats.evicted, 1);
  const rest = await Array.fromAsync({ [Symbol.asyncIterator]: () => chunks });
  assertBytes(Buffer.concat([first.value ?? Buffer.alloc(0), ...rest]), bytesOf(1, 2 * MiB - 100 * KiB));
  assert.equal(cache.stats.healed, 0);
  assert.equal(cache.stats.hits, 1);
  await read(cache, key);
  assert.equal(cache.stats.hits, 1, "it was the first that made room");
});
