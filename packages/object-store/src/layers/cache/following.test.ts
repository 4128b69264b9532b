import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { assertBytes, begin, being, bytesOf, KiB, MiB, readBody, withCode } from "../../contract/contract-test.ts";
import { StorageError } from "../../errors.ts";
import type { ObjectKey } from "../../key.ts";
import { cached, filesOf, read, stored, type Cached } from "./fixtures/cached.ts";
import { Valve } from "./fixtures/upstream.ts";

const SIZE = 4 * MiB + 1234;

/** An object on its way from the store, which a valve holds back. */
async function underway(t: TestContext): Promise<Cached & { readonly key: ObjectKey; readonly valve: Valve }> {
  const { upstream, ...rest } = await cached(t);
  const key = await stored(upstream, "one", 1, SIZE);
  const valve = new Valve();
  upstream.valve = valve;
  return { upstream, ...rest, key, valve };
}

const whole = bytesOf(1, SIZE);

/** Reads at least so many bytes, and no more than it takes. */
async function some(chunks: AsyncIterator<Uint8Array>, bytes: number): Promise<Buffer> {
  const all: Buffer[] = [];
  for (let left = bytes; left > 0;) {
    const step = await chunks.next();
    assert.ok(step.done !== true, "it goes on");
    all.push(Buffer.from(step.value));
    left -= step.value.length;
  }
  return Buffer.concat(all);
}

async function rest(chunks: AsyncIterator<Uint8Array>): Promise<Buffer> {
  return await readBody({ [Symbol.asyncIterator]: () => chunks });
}

/** Nothing goes on, and nothing is left. */
async function assertNothingLeft({ upstream, cache, path }: Omit<Cached, "faults">): Promise<void> {
  assert.equal(upstream.open, 0);
  assert.deepEqual(await filesOf(path, "fills"), []);
  assert.equal(cache.stats.used, 0);
}

test("readers get what has come as it comes, wherever they begin, and go at their own pace", async (t) => {
  const { upstream, cache, key, valve } = await underway(t);
  valve.let(200 * KiB);
  const slow = await begin(await cache.get(key, { immutable: true }));
  const fast = (await cache.get(key, { immutable: true })).body[Symbol.asyncIterator]();
  const seen = await some(fast, 100 * KiB);
  assertBytes(seen, whole.subarray(0, seen.length));
  valve.let(MiB);
  const more = await some(fast, MiB);
  assertBytes(more, whole.subarray(seen.length, seen.length + more.length));
  const late = (await cache.get(key, { immutable: true, range: { start: 300_000, end: 3_000_000 } })).body;
  const lateChunks = late[Symbol.asyncIterator]();
  const first = await some(lateChunks, 10 * KiB);
  valve.let(SIZE);
  assertBytes(Buffer.concat([seen, more, await rest(fast)]), whole);
  assertBytes(Buffer.concat([first, await rest(lateChunks)]), whole.subarray(300_000, 3_000_001));
  assertBytes(await read(cache, key), whole);
  assertBytes(Buffer.concat([slow.first, await rest(slow.rest)]), whole);
  assert.deepEqual(upstream.asked, ["one"]);
});

test("whoever has the last byte finds the object in the cache", async (t) => {
  const { upstream, cache, key, valve, path } = await underway(t);
  valve.let(SIZE);
  const { body } = await cache.get(key, { immutable: true });
  let left = SIZE;
  for await (const { length } of body) if ((left -= length) === 0) break;
  assert.equal((await filesOf(path, "entries")).length, 1);
  assert.equal(upstream.open, 0);
});

test("a reader that leaves, or whose signal is aborted, is not missed", async (t) => {
  const { upstream, cache, key, valve } = await underway(t);
  const controller = new AbortController();
  const reason = new Error("the caller's reason");
  valve.let(100 * KiB);
  const [leaving, aborted, staying] = await Promise.all([
    begin(await cache.get(key, { immutable: true })),
    begin(await cache.get(key, { immutable: true, signal: controller.signal })),
    begin(await cache.get(key, { immutable: true })),
  ]);
  const waiting = aborted.rest.next();
  await leaving.rest.return?.();
  controller.abort(reason);
  await assert.rejects(waiting, being(reason));
  assert.equal((await aborted.rest.next()).done, true);
  valve.let(SIZE);
  assertBytes(Buffer.concat([staying.first, await rest(staying.rest)]), whole);
  assert.deepEqual(upstream.asked, ["one"]);
});

test("when the last reader leaves, the read of the store ends, and nothing is left", async (t) => {
  const run = await underway(t);
  const { upstream, cache, key, valve } = run;
  const controller = new AbortController();
  valve.let(100 * KiB);
  const [one, other] = await Promise.all([
    begin(await cache.get(key, { immutable: true })),
    begin(await cache.get(key, { immutable: true, signal: controller.signal })),
  ]);
  await one.rest.return?.();
  assert.equal(upstream.open, 1);
  const waiting = one.rest.next();
  assert.equal((await waiting).done, true);
  // In the middle of a chunk that never comes.
  const [never] = await Promise.all([other.rest.next(), other.rest.return?.()]);
  assert.equal(never.done, true);
  await assertNothingLeft(run);
  valve.let(SIZE);
  assertBytes(await read(cache, key), whole);
  assert.deepEqual(upstream.asked, ["one", "one"]);
});

test("a body that was never begun ends the read of the store all the same", async (t) => {
  const run = await underway(t);
  const { body } = await run.cache.get(run.key, { immutable: true });
  await body[Symbol.asyncIterator]().return?.();
  await assertNothingLeft(run);
});

test("whoever stops waiting for a store that does not answer hears it at once, and the others go on waiting", async (t) => {
  const { upstream, cache } = await cached(t);
  const key = await stored(upstream, "one", 1, SIZE);
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  upstream.before = async () => {
    asked.resolve();
    await answer.promise;
  };
  const controller = new AbortController();
  const reason = new Error("the caller's reason");
  const impatient = cache.get(key, { immutable: true, signal: controller.signal });
  const patient = read(cache, key);
  await asked.promise;
  controller.abort(reason);
  await assert.rejects(impatient, being(reason));
  answer.resolve();
  assertBytes(await patient, whole);
  assert.deepEqual(upstream.asked, ["one"]);
});

test("when the store fails in the middle, all who wait hear why, and nothing is left", async (t) => {
  const run = await underway(t);
  const { upstream, cache, key, valve } = run;
  const bodies = await Promise.all([1, 2, 3].map(() => cache.get(key, { immutable: true })));
  const failure = new StorageError("unavailable", "the connection broke");
  valve.let(MiB);
  valve.fail(failure);
  for (const { body } of bodies) {
    const chunks = body[Symbol.asyncIterator]();
    await some(chunks, 900 * KiB);
    await assert.rejects(rest(chunks), being(failure));
    assert.equal((await chunks.next()).done, true);
  }
  await assertNothingLeft(run);
  upstream.valve = undefined;
  assertBytes(await read(cache, key), whole);
});

test("a body of the store that ends too early is an error for all and leaves nothing", async (t) => {
  const run = await underway(t);
  const { cache, key, valve } = run;
  const bodies = await Promise.all([1, 2].map(() => cache.get(key, { immutable: true })));
  valve.let(SIZE - 1);
  valve.cut();
  for (const { body } of bodies) await assert.rejects(readBody(body), withCode("unavailable"));
  await assertNothingLeft(run);
});

test("a range far ahead of what has come is asked of the store at once", async (t) => {
  const { upstream, cache } = await cached(t);
  const size = 20 * MiB;
  const key = await stored(upstream, "one", 1, size);
  const valve = new Valve();
  upstream.valve = valve;
  valve.let(100 * KiB);
  const { rest: chunks } = await begin(await cache.get(key, { immutable: true }));
  const ahead = await cache.get(key, { immutable: true, range: { start: size - 10 } });
  assert.deepEqual(upstream.asked, ["one", `one ${size - 10}-`]);
  valve.let(2 * size);
  assertBytes(await readBody(ahead.body), bytesOf(1, size).subarray(-10));
  await rest(chunks);
});

test("closing the cache ends what is under way", async (t) => {
  const run = await underway(t);
  const { cache, key, valve, upstream, path } = run;
  valve.let(100 * KiB);
  const { rest: chunks } = await begin(await cache.get(key, { immutable: true }));
  await cache.close();
  await assert.rejects(rest(chunks));
  assert.equal(upstream.open, 0);
  assert.deepEqual(await filesOf(path, "fills"), []);
});
