import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemoryStore, parseKey, StorageError, type ObjectStore } from "@holdall/object-store";
import { keysOf, putText, watched, type Call } from "../test/bench.ts";
import { breakLock, RefLock, requireLocks } from "./lock.ts";

const REF = "refs/heads/main";
const KEY = `${REF}/LOCK#.lock`;
const IMPATIENT = { patience: 0 };

/** A store with a clock of its own, which is ahead of ours by so many seconds. */
function ahead(seconds: number, since: Map<string, number>): ObjectStore {
  const store = new MemoryStore();
  const dated = <T extends { key: string; modifiedAt: Date }>(stat: T): T => ({
    ...stat,
    modifiedAt: new Date((since.get(stat.key) ?? Date.now()) + seconds * 1000),
  });
  const [stat, get] = [store.stat.bind(store), store.get.bind(store)];
  store.stat = async (key, o) => {
    const found = await stat(key, o);
    return found && dated(found);
  };
  store.get = async (key, o) => dated(await get(key, o));
  return store;
}

test("only one holds the lock of a ref, and the next one gets it when it is given back", async () => {
  const store = new MemoryStore();
  const first = await RefLock.acquire(store, REF);
  assert.deepEqual(await keysOf(store), [KEY]);
  await assert.rejects(RefLock.acquire(store, REF, IMPATIENT), {
    code: "contended",
    message: /pushing to refs\/heads\/main since/,
  });
  const other = await RefLock.acquire(store, "refs/heads/other");
  await other.release();
  let waited = 0;
  const second = RefLock.acquire(store, REF, { onWait: () => void (waited += 1) });
  await first.confirm();
  await first.release();
  await (await second).release();
  assert.ok(waited <= 1);
  assert.deepEqual(await keysOf(store), []);
});

test("a lock is stale by the store's clock, whatever the time is here", async () => {
  for (const [clock, age, isStale] of [
    [3600, 10, false],
    [3600, 70, true],
    [-3600, 10, false],
    [-3600, 70, true],
    [0, 61, true],
    [0, 50, false],
  ] as const) {
    const store = ahead(clock, new Map([[KEY, Date.now() - age * 1000]]));
    await putText(store, KEY);
    if (isStale) await (await RefLock.acquire(store, REF, IMPATIENT)).release();
    else await assert.rejects(RefLock.acquire(store, REF, IMPATIENT), { code: "contended" });
    assert.deepEqual(await keysOf(store), isStale ? [] : [KEY]);
  }
});

test("a lock under which git-remote-s3 may still be uploading lives for as long as that takes", async () => {
  const upload = { ...IMPATIENT, size: 200 * 1024 * 1024 };
  for (const [text, isStale] of [
    ["", false],
    ["holdall x 0\n", true],
  ] as const) {
    const store = ahead(0, new Map([[KEY, Date.now() - 100_000]]));
    await putText(store, KEY, text);
    if (isStale) await (await RefLock.acquire(store, REF, upload)).release();
    else await assert.rejects(RefLock.acquire(store, REF, upload), { code: "contended" });
  }
});

test("of many who find a stale lock one takes it over", async () => {
  const since = new Map([[KEY, Date.now() - 100_000]]);
  const store = watched(ahead(0, since), {
    // From now on it has the time of its last put.
    after: (call, [key]) => void (call === "put" && key === KEY && since.delete(KEY)),
  });
  await putText(store, KEY);
  since.set(KEY, Date.now() - 100_000);
  const locks = await Promise.allSettled(Array.from({ length: 8 }, () => RefLock.acquire(store, REF, IMPATIENT)));
  const held = locks.flatMap((lock) => (lock.status === "fulfilled" ? [lock.value] : []));
  assert.equal(held.length, 1);
  await held[0]?.confirm();
  await held[0]?.release();
  assert.deepEqual(await keysOf(store), []);
});

const isSwap = (o: unknown): boolean => typeof o === "object" && o !== null && "ifMatch" in o;

/** Nothing happened for so many seconds, by the clock of the process. */
function standStill(t: TestContext, seconds: number): void {
  const then = performance.now() + seconds * 1000;
  t.mock.method(performance, "now", () => then);
}

test("whoever was taken for dead hears of it, and leaves the other's lock alone", async (t) => {
  const store = new MemoryStore();
  const lock = await RefLock.acquire(store, REF);
  await lock.confirm();
  standStill(t, 31);
  await lock.confirm();
  const renewed = (await store.stat(parseKey(KEY)))?.etag;
  await lock.confirm();
  assert.equal((await store.stat(parseKey(KEY)))?.etag, renewed, "so young, it is not asked for");
  standStill(t, 62);
  await putText(store, KEY, "somebody else");
  await assert.rejects(lock.confirm(), { code: "contended", message: /taken over by somebody else/ });
  await lock.release();
  assert.deepEqual(await keysOf(store), [KEY]);
});

test("whoever slept with the machine, and with the clock of the process, does not believe in the lock", async (t) => {
  const store = new MemoryStore();
  const lock = await RefLock.acquire(store, REF);
  const then = Date.now() + 3_600_000;
  t.mock.method(Date, "now", () => then);
  await putText(store, KEY, "somebody else");
  await assert.rejects(lock.confirm(), { code: "contended" });
  await lock.release();
});

test("a lock whose loss came out at a renewal that nobody waited for is not confirmed", async (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { promise, resolve } = Promise.withResolvers<void>();
  const inner = new MemoryStore();
  const store = watched(inner, { before: (call, [, , o]) => (call === "put" && isSwap(o) ? resolve() : undefined) });
  const lock = await RefLock.acquire(store, REF);
  await putText(inner, KEY, "somebody else");
  t.mock.timers.tick(20_000);
  await promise;
  await assert.rejects(lock.confirm(), { code: "contended" });
  await lock.release();
});

test("between the look at a stale lock and taking it over comes no other request: all empty locks have one etag", async () => {
  const inner = ahead(0, new Map([[KEY, Date.now() - 100_000]]));
  await putText(inner, KEY);
  const etag = (await inner.stat(parseKey(KEY)))?.etag ?? assert.fail();
  const calls: string[] = [];
  const store = watched(inner, { before: (call, [key]) => void calls.push(`${call} ${String(key)}`) });
  const lock = await RefLock.acquire(store, REF, IMPATIENT);
  assert.deepEqual(calls.slice(-2), [`get ${KEY}`, `put ${KEY}`]);
  await lock.release();
  await putText(inner, KEY);
  calls.length = 0;
  await assert.rejects(breakLock(store, REF, { etag, ttl: 10 }), { code: "contended" });
  const found = (await inner.stat(parseKey(KEY)))?.etag ?? assert.fail();
  await breakLock(store, REF, { etag: found, ttl: 10 });
  assert.deepEqual(calls.slice(-2), [`stat ${KEY}`, `delete ${KEY}`]);
});

test("a store that never says yes is not asked for ever", async () => {
  const inner = ahead(0, new Map([[KEY, Date.now() - 100_000]]));
  await putText(inner, KEY);
  const store = watched(inner, {
    before: (call, [key]) => {
      if (call === "put" && key === KEY) throw new StorageError("conflict", "no");
    },
  });
  await assert.rejects(RefLock.acquire(store, REF, IMPATIENT), { code: "contended" });
  await inner.delete(parseKey(KEY));
  await assert.rejects(RefLock.acquire(store, REF, IMPATIENT), { code: "contended" });
});

test("where deletions have no conditions, too, another's lock is left alone", async () => {
  const inner = new MemoryStore();
  const store = new Proxy(inner, {
    get: (target, name) => {
      if (name === "capabilities") return { ...target.capabilities, deleteIfMatch: false };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const lock = await RefLock.acquire(store, REF);
  await putText(store, KEY, "somebody else");
  await lock.release();
  assert.deepEqual(await keysOf(store), [KEY]);
  await store.delete((await Array.fromAsync(store.list("")))[0]?.key ?? assert.fail());
  await (await RefLock.acquire(store, REF)).release();
  assert.deepEqual(await keysOf(store), []);
});

test("a lock is renewed while it is held", async (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { promise, resolve } = Promise.withResolvers<void>();
  const texts = new Set<string>();
  const inner = new MemoryStore();
  const store = watched(inner, {
    after: async (call) => {
      if (call !== "put") return;
      texts.add(Buffer.concat(await Array.fromAsync((await inner.get(parseKey(KEY))).body)).toString());
      // Each another, for some stores make etags of what is in an object.
      if (texts.size === 3) resolve();
    },
  });
  const lock = await RefLock.acquire(store, REF, { ttl: 60 });
  t.mock.timers.tick(20_000);
  t.mock.timers.tick(20_000);
  await promise;
  await lock.release();
  assert.deepEqual(await keysOf(store), []);
});

test("answers that get lost do not make one lose a lock, or hold it for ever", async () => {
  for (const call of ["put", "delete"] as const satisfies Call[]) {
    for (const nth of [1, 2]) {
      let seen = 0;
      const store = watched(new MemoryStore(), {
        after: (name) => {
          if (name === call && (seen += 1) === nth)
            throw new StorageError("unavailable", "no answer came", { uncertain: true });
        },
      });
      const lock = await RefLock.acquire(store, REF);
      await lock.confirm();
      await lock.release();
      assert.deepEqual(await keysOf(store), [], `${call} ${nth}`);
    }
  }
});

test("what a store says against writing a lock is said at once", async () => {
  const store = watched(new MemoryStore(), {
    before: (call, [key]) => {
      if (call === "put" && key === KEY) throw new StorageError("denied", "you may not write");
    },
  });
  await assert.rejects(RefLock.acquire(store, REF, IMPATIENT), { code: "denied" });
});

test("a lock is broken only when it is the one that was found, and stale", async () => {
  const since = new Map([[KEY, Date.now() - 30_000]]);
  const store = ahead(0, since);
  await putText(store, KEY);
  const etag = (await Array.fromAsync(store.list("refs/")))[0]?.etag ?? assert.fail();
  await assert.rejects(breakLock(store, REF, { etag }), { code: "contended" });
  await assert.rejects(breakLock(store, REF, { etag: "other", ttl: 10 }), { code: "contended" });
  await breakLock(store, REF, { etag, ttl: 10 });
  await breakLock(store, REF, { etag, ttl: 10 });
  assert.deepEqual(await keysOf(store), []);
});

test("a store that cannot hold locks is refused, with what it lacks", () => {
  const store = new MemoryStore();
  requireLocks(store);
  for (const [lacking, message] of [
    [{ putIfAbsent: false }, /no conditional writes/],
    [{ compareAndSwap: false }, /no conditional writes/],
    [{ copy: false }, /no copies/],
  ] as const) {
    const poor = new Proxy(store, {
      get: (target, name) =>
        name === "capabilities" ? { ...target.capabilities, ...lacking } : Reflect.get(target, name, target),
    });
    assert.throws(() => requireLocks(poor), { code: "unsupported", message });
  }
});
