import assert from "node:assert/strict";
import {
  assertAbsent,
  assertBytes,
  begin,
  being,
  bodyOf,
  bytesOf,
  collect,
  getBytes,
  key,
  MiB,
  putBytes,
  TestBody,
  type ContractTest,
} from "./contract-test.ts";

const reason = new Error("the caller's reason");

export const signalTests: readonly ContractTest[] = [
  {
    title: "a signal that is aborted already ends every call with its reason",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 10));
      const signal = AbortSignal.abort(reason);
      await assert.rejects(store.stat(key, { signal }), being(reason));
      await assert.rejects(store.get(key, { signal }), being(reason));
      await assert.rejects(store.delete(key, { signal }), being(reason));
      await assert.rejects(collect(store.list("", { signal })), being(reason));
      const body = bodyOf(bytesOf(2, 10));
      await assert.rejects(store.put(key, body, { size: 10, signal }), being(reason));
      assert.ok(body.over, "the body was returned");
      assertBytes(await getBytes(store, key), bytesOf(1, 10));
    },
  },
  {
    title: "a put is aborted between two chunks and leaves nothing",
    run: async (store) => {
      const controller = new AbortController();
      const body = new TestBody(
        (function* () {
          yield bytesOf(1, 5 * MiB);
          controller.abort(reason);
          yield bytesOf(2, MiB);
          yield bytesOf(3, MiB);
        })(),
      );
      await assert.rejects(store.put(key, body, { size: 7 * MiB, signal: controller.signal }), being(reason));
      assert.ok(body.over, "the body was returned");
      await assertAbsent(store, key);
    },
  },
  {
    title: "a put is aborted while it waits for a chunk that never comes",
    run: async (store) => {
      for (const before of [0, 100, 5 * MiB]) {
        const controller = new AbortController();
        const body = new TestBody(
          (function* () {
            yield bytesOf(1, before);
            setImmediate(() => controller.abort(reason));
            yield new Promise<never>(() => undefined);
          })(),
        );
        await assert.rejects(store.put(key, body, { size: 6 * MiB, signal: controller.signal }), being(reason));
        assert.ok(body.over, "the body was returned");
        await assertAbsent(store, key);
      }
    },
  },
  {
    title: "a body that was handed out ends with the reason of its signal",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 5 * MiB));
      const controller = new AbortController();
      const { rest } = await begin(await store.get(key, { signal: controller.signal }));
      controller.abort(reason);
      await assert.rejects(rest.next(), being(reason));
      assert.equal((await rest.next()).done, true);
    },
  },
  {
    title: "a listing ends with the reason of its signal",
    run: async (store) => {
      for (const name of ["a", "b", "c"]) await putBytes(store, `${key}${name}` as typeof key, bytesOf(1, 1));
      const controller = new AbortController();
      const listing = store.list("", { signal: controller.signal })[Symbol.asyncIterator]();
      assert.equal((await listing.next()).value?.key, "objects/onea");
      controller.abort(reason);
      await assert.rejects(listing.next(), being(reason));
    },
  },
];
