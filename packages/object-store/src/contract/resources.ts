import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { parseKey } from "../key.ts";
import {
  assertBytes,
  begin,
  being,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  MiB,
  putBytes,
  readBody,
  TestBody,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

/** Where Linux and macOS list what a process has open. */
const DESCRIPTORS = "/dev/fd";

export const resourceTests: readonly ContractTest[] = [
  {
    title: "bodies that were read, left early or never begun, and calls that failed, hold nothing open",
    run: async (store, t) => {
      if (!existsSync(DESCRIPTORS)) return t.skip(`there is no ${DESCRIPTORS}, which lists what is open`);
      const error = new Error("the body's own");
      const use = async (): Promise<void> => {
        await putBytes(store, key, bytesOf(1, 5 * MiB));
        await readBody((await store.get(key)).body);
        for await (const _ of (await store.get(key)).body) break;
        await (await store.get(key)).body[Symbol.asyncIterator]().return?.();
        const { rest } = await begin(await store.get(key));
        await Promise.all([rest.next(), rest.return?.()]);
        await readBody((await store.get(key, { range: { start: 7, end: 9 } })).body);
        await assert.rejects(store.get(key, { range: { start: 5 * MiB } }), withCode("invalid"));
        await assert.rejects(store.get(parseKey("absent")), withCode("not-found"));
        await assert.rejects(store.put(key, failingBody(bytesOf(2, 2 * MiB), error), { size: 1 }), withCode("invalid"));
        await assert.rejects(store.put(key, failingBody(bytesOf(2, 2 * MiB), error), { size: 3 * MiB }), being(error));
        await collect(store.list(""));
      };
      await use();
      const open = readdirSync(DESCRIPTORS).length;
      for (let i = 0; i < 5; i++) await use();
      // Fewer when connections that others kept have meanwhile closed.
      const now = readdirSync(DESCRIPTORS).length;
      assert.ok(now <= open, `${now} are open, ${open} were`);
    },
  },
  {
    title: "a body can be put into the store that it comes from",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 3 * MiB));
      const { body, size } = await store.get(key);
      await store.put(parseKey("copy"), body, { size });
      assertBytes(await getBytes(store, parseKey("copy")), bytesOf(1, 3 * MiB));
    },
  },
  {
    title: "a sweep removes nothing that is stored or under way",
    run: async (store) => {
      assert.equal(await store.sweep(), 0);
      await putBytes(store, parseKey("stored"), bytesOf(1, 10));
      const begun = Promise.withResolvers<void>();
      const { promise, resolve } = Promise.withResolvers<Uint8Array>();
      const body = new TestBody(
        (function* () {
          yield bytesOf(2, 5 * MiB);
          begun.resolve();
          yield promise;
        })(),
      );
      const put = store.put(key, body, { size: 5 * MiB + 1 });
      await begun.promise;
      assert.equal(await store.sweep(), 0);
      resolve(bytesOf(3, 1));
      await put;
      assertBytes(await getBytes(store, parseKey("stored")), bytesOf(1, 10));
      assertBytes(await getBytes(store, key), Buffer.concat([bytesOf(2, 5 * MiB), bytesOf(3, 1)]));
      assert.equal(await store.sweep(), 0);
    },
  },
  {
    title: "close may be called again",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 10));
      await store.close();
      await store.close();
    },
  },
];
