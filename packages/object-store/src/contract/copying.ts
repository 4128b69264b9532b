import assert from "node:assert/strict";
import { parseKey } from "../key.ts";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  being,
  bytesOf,
  getBytes,
  key,
  MiB,
  putBytes,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

const copy = parseKey("copies/of one");

export const copyingTests: readonly ContractTest[] = [
  {
    title: "a copy has the bytes of its source, and its own life",
    needs: "copy",
    run: async (store) => {
      for (const size of [0, 10, 9 * MiB]) {
        await putBytes(store, key, bytesOf(1, size));
        const version = await store.copy(key, copy);
        assert.equal(version.key, copy);
        assert.equal(version.size, size);
        assertSameStat(await store.stat(copy), version);
        await putBytes(store, key, bytesOf(2, 10));
        assertBytes(await getBytes(store, copy), bytesOf(1, size));
        await store.delete(key);
        assertBytes(await getBytes(store, copy), bytesOf(1, size));
      }
    },
  },
  {
    title: "what is absent is not copied",
    needs: "copy",
    run: async (store) => {
      await assert.rejects(store.copy(key, copy), withCode("not-found"));
      await assertAbsent(store, copy);
    },
  },
  {
    title: "a copy takes this version of its source only",
    needs: "copy",
    run: async (store) => {
      const first = await putBytes(store, key, bytesOf(1, 10));
      const second = await putBytes(store, key, bytesOf(2, 10));
      await assert.rejects(store.copy(key, copy, { fromEtag: first.etag }), withCode("conflict"));
      await assertAbsent(store, copy);
      await store.copy(key, copy, { fromEtag: second.etag });
      assertBytes(await getBytes(store, copy), bytesOf(2, 10));
    },
  },
  {
    title: "a copy replaces what is there, unless it is to create",
    needs: "copy",
    run: async (store, t) => {
      await putBytes(store, key, bytesOf(1, 10));
      await putBytes(store, copy, bytesOf(2, 10));
      if (store.capabilities.putIfAbsent) {
        await assert.rejects(store.copy(key, copy, { ifAbsent: true }), withCode("conflict"));
        assertBytes(await getBytes(store, copy), bytesOf(2, 10));
      } else t.diagnostic("does not claim putIfAbsent");
      await store.copy(key, copy);
      assertBytes(await getBytes(store, copy), bytesOf(1, 10));
    },
  },
  {
    title: "a signal that is aborted already ends a copy with its reason",
    needs: "copy",
    run: async (store) => {
      const reason = new Error("the caller's reason");
      await putBytes(store, key, bytesOf(1, 10));
      await assert.rejects(store.copy(key, copy, { signal: AbortSignal.abort(reason) }), being(reason));
      await assertAbsent(store, copy);
    },
  },
];
