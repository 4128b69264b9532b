import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { being, bodyOf, bytesOf, getBytes, key, listKeys, putBytes, withCode } from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { FsStore } from "../fs/store.ts";
import { parseKey } from "../key.ts";
import { MemoryStore } from "../memory/store.ts";
import { type Fault, FaultyLayer, type StoreCall } from "./faulty.ts";
import { RetryLayer, type RetryOptions } from "./retry.ts";

const unavailable = new StorageError("unavailable", "not now");
const uncertain = new StorageError("unavailable", "who knows", { uncertain: true });

/** A store whose next calls of that kind meet these faults, and how often it was called. */
function failing(call: StoreCall, faults: readonly Omit<Fault, "call">[]) {
  const left = [...faults];
  const calls: StoreCall[] = [];
  const waits: number[] = [];
  const store = new FaultyLayer(new MemoryStore(), (made) => {
    calls.push(made);
    const fault = made === call ? left.shift() : undefined;
    return fault === undefined ? undefined : { call, ...fault };
  });
  const retried = (o: RetryOptions = {}): RetryLayer =>
    new RetryLayer(store, {
      random: () => 1,
      wait: async (milliseconds) => {
        waits.push(milliseconds);
      },
      ...o,
    });
  return { store: retried(), retried, calls, waits };
}

const before = (error: unknown): Omit<Fault, "call"> => ({ moment: { at: "before" }, error });
const after = (error: unknown): Omit<Fault, "call"> => ({ moment: { at: "after" }, error });

test("a call that failed for a reason that may pass is made again, later each time", async () => {
  for (const call of ["stat", "get", "delete"] as const) {
    const { store, calls, waits } = failing(call, [before(unavailable), before(unavailable)]);
    await putBytes(store, key, bytesOf(1, 10));
    await store[call](key);
    assert.equal(calls.filter((made) => made === call).length, 3);
    assert.deepEqual(waits, [200, 400]);
  }
});

test("after the last attempt the store's own error comes back", async () => {
  const { store, calls } = failing(
    "stat",
    [1, 2, 3, 4].map(() => before(unavailable)),
  );
  await assert.rejects(store.stat(key), being(unavailable));
  assert.equal(calls.length, 3);
});

test("a call that was slow to fail is not made again", async (t) => {
  t.mock.timers.enable({ apis: ["Date"] });
  const { retried, calls } = failing(
    "stat",
    [1, 2, 3, 4, 5].map(() => before(unavailable)),
  );
  const store = retried({ attempts: 5, wait: async () => t.mock.timers.tick(10_001) });
  await assert.rejects(store.stat(key), being(unavailable));
  assert.equal(calls.length, 4, "after half a minute it is enough");
});

test("waits have an upper limit, and chance in them", async () => {
  const { retried, waits } = failing(
    "stat",
    [1, 2, 3, 4].map(() => before(unavailable)),
  );
  await retried({ attempts: 5, longestDelay: 500, random: () => 0.5 }).stat(key);
  assert.deepEqual(waits, [100, 200, 250, 250]);
});

test("what will not pass by itself, and errors of the caller's, are not tried again", async () => {
  for (const error of [new StorageError("denied", "no"), new StorageError("conflict", "no"), new Error("own")]) {
    const { store, calls } = failing("get", [before(error)]);
    await assert.rejects(store.get(key), being(error));
    assert.deepEqual(calls, ["get"]);
  }
});

test("a put is tried again while its body is untouched", async () => {
  const { store, calls } = failing("put", [before(unavailable), before(unavailable)]);
  const body = bodyOf(bytesOf(1, 1000));
  await store.put(key, body, { size: 1000 });
  assert.equal(calls.length, 3);
  assert.ok(body.ended);
  assert.deepEqual(await getBytes(store, key), bytesOf(1, 1000));
});

test("a body that has begun is never replayed", async () => {
  const { store, calls } = failing("put", [{ moment: { at: "body", bytes: 0 }, error: unavailable }]);
  const body = bodyOf(bytesOf(1, 1000));
  await assert.rejects(store.put(key, body, { size: 1000 }), being(unavailable));
  assert.deepEqual(calls, ["put"]);
  assert.ok(body.over, "the body was returned");
});

test("a put that is given up returns its body", async () => {
  const { store } = failing(
    "put",
    [1, 2, 3].map(() => before(unavailable)),
  );
  const body = bodyOf(bytesOf(1, 1000));
  await assert.rejects(store.put(key, body, { size: 1000 }), being(unavailable));
  assert.ok(body.over && !body.ended);
});

test("what may have been done all the same is not done again, unless twice is as good as once", async () => {
  const conditional = failing("delete", [after(uncertain)]);
  const { etag } = await putBytes(conditional.store, key, bytesOf(1, 10));
  await assert.rejects(conditional.store.delete(key, { ifMatch: etag }), being(uncertain));
  const plain = failing("delete", [after(uncertain)]);
  await putBytes(plain.store, key, bytesOf(1, 10));
  await plain.store.delete(key);
  assert.deepEqual(plain.calls, ["put", "delete", "delete"]);
});

test("a listing goes on where it broke off", async () => {
  const inner = new MemoryStore();
  const keys = ["a", "b", "c", "d"].map((name) => parseKey(name));
  for (const name of keys) await putBytes(inner, name, bytesOf(1, 1));
  const breaks = [2, 1];
  const broken = new (class extends FaultyLayer {
    override async *list(...args: Parameters<FaultyLayer["list"]>): ReturnType<FaultyLayer["list"]> {
      let left = breaks.shift() ?? Number.POSITIVE_INFINITY;
      for await (const stat of super.list(...args)) {
        if (left-- === 0) throw unavailable;
        yield stat;
      }
    }
  })(inner, () => undefined);
  const store = new RetryLayer(broken, { wait: async () => undefined });
  assert.deepEqual(await listKeys(store), keys);
  assert.deepEqual(breaks, []);
});

test("a listing of parts goes on where it broke off, and no upload is completed again that may be complete", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdall-retry-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const inner = new FsStore(folder);
  t.after(() => inner.close());
  const { multipart = assert.fail() } = new RetryLayer(inner, { wait: async () => undefined });
  const upload = await multipart.create(key);
  const put = (number: number) => multipart.putPart(key, upload, number, bodyOf(bytesOf(number, 10)), { size: 10 });
  const sent = [await put(1), await put(2), await put(3)];
  const parts = inner.multipart.parts.bind(inner.multipart);
  const breaks = [2];
  t.mock.method(inner.multipart, "parts", async function* (...args: Parameters<typeof parts>) {
    let left = breaks.shift() ?? Number.POSITIVE_INFINITY;
    for await (const part of parts(...args)) {
      if (left-- === 0) throw unavailable;
      yield part;
    }
  });
  assert.deepEqual(await Array.fromAsync(multipart.parts(key, upload)), sent);
  assert.deepEqual(breaks, []);
  const complete = t.mock.method(inner.multipart, "complete", () => Promise.reject(uncertain));
  await assert.rejects(multipart.complete(key, upload, sent), being(uncertain));
  assert.equal(complete.mock.callCount(), 1);
});

test("a signal ends the waiting with its reason", async () => {
  const reason = new Error("the caller's reason");
  const controller = new AbortController();
  const { store: faulty } = failing("stat", []);
  const store = new RetryLayer(new FaultyLayer(faulty, () => ({ call: "stat", ...before(unavailable) })), {
    firstDelay: 3_600_000,
    longestDelay: 3_600_000,
    random: () => {
      setImmediate(() => controller.abort(reason));
      return 1;
    },
  });
  await assert.rejects(store.stat(key, { signal: controller.signal }), being(reason));
  await assert.rejects(new RetryLayer(new MemoryStore()).get(key), withCode("not-found"));
});
