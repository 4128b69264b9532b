import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertAbsent,
  assertBytes,
  being,
  bytesOf,
  collect,
  getBytes,
  key,
  putBytes,
} from "../contract/contract-test.ts";
import { MemoryStore } from "../memory/store.ts";
import { FaultyLayer, type Fault, type Moment, type StoreCall } from "./faulty.ts";

const error = new Error("planted");

/** A store with one object, and the same with one fault that strikes every such call. */
async function faulty(call: StoreCall, moment: Moment): Promise<{ store: FaultyLayer; inner: MemoryStore }> {
  const inner = new MemoryStore();
  await putBytes(inner, key, bytesOf(1, 200_000));
  const fault: Fault = { call, moment, error };
  return { store: new FaultyLayer(inner, (struck) => (struck === call ? fault : undefined)), inner };
}

test("a fault before a call keeps it from the store", async () => {
  const { store, inner } = await faulty("delete", { at: "before" });
  await assert.rejects(store.delete(key), being(error));
  assertBytes(await getBytes(inner, key), bytesOf(1, 200_000));
  for (const call of ["stat", "get", "put", "list"] as const) {
    const { store } = await faulty(call, { at: "before" });
    const calls = {
      stat: () => store.stat(key),
      get: () => store.get(key),
      put: () => putBytes(store, key, bytesOf(2, 10)),
      list: () => collect(store.list("")),
    };
    await assert.rejects(calls[call](), being(error));
  }
});

test("a fault after a call hides that it succeeded", async () => {
  const { store, inner } = await faulty("delete", { at: "after" });
  await assert.rejects(store.delete(key), being(error));
  await assertAbsent(inner, key);
});

test("a fault in a body strikes after so many bytes", async () => {
  for (const bytes of [0, 1, 70_000, 199_999]) {
    const { store } = await faulty("get", { at: "body", bytes });
    const { body } = await store.get(key);
    let read = 0;
    const consume = async (): Promise<void> => {
      for await (const chunk of body) read += chunk.length;
    };
    await assert.rejects(consume(), being(error));
    assert.equal(read, bytes);
  }
});

test("a fault in the body of a put leaves what was there", async () => {
  const { store, inner } = await faulty("put", { at: "body", bytes: 70_000 });
  await assert.rejects(putBytes(store, key, bytesOf(2, 200_000)), being(error));
  assertBytes(await getBytes(inner, key), bytesOf(1, 200_000));
});
