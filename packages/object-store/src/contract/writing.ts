import assert from "node:assert/strict";
import { parseKey } from "../key.ts";
import type { ObjectStore, PutOptions } from "../port.ts";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  being,
  bodyOf,
  bytesOf,
  failingBody,
  getBytes,
  key,
  KiB,
  listKeys,
  MiB,
  putBytes,
  sha256Of,
  TestBody,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

/** Each is a body that must not be stored, with the options of its put. */
async function assertNothingStored(
  store: ObjectStore,
  attempts: readonly (readonly [TestBody, PutOptions])[],
  expected: (error: unknown) => boolean,
): Promise<void> {
  for (const [body, o] of attempts) {
    await assert.rejects(store.put(key, body, o), expected);
    assert.ok(body.over, "the body was ended or returned, or threw");
    await assertAbsent(store, key);
  }
  assert.deepEqual(await listKeys(store), []);
}

export const writingTests: readonly ContractTest[] = [
  {
    title: "objects of any size come back as they were put",
    run: async (store) => {
      for (const size of [0, 1, 64 * KiB, MiB, MiB + 1, 9 * MiB + 3]) {
        for (const chunkSize of size > MiB ? [100_003] : [997, 64 * KiB]) {
          await store.put(key, bodyOf(bytesOf(size, size), chunkSize), { size });
          assertBytes(await getBytes(store, key), bytesOf(size, size));
        }
      }
    },
  },
  {
    title: "a body that is handed over is stored as any other, also from memory that it shares with others",
    run: async (store) => {
      for (const size of [10, 64 * KiB, 3 * MiB]) {
        const bytes = bytesOf(1, size);
        const own = new Uint8Array(bytes);
        await store.put(key, bodyOf(own, size), { size, handOver: true });
        assertBytes(await getBytes(store, key), bytes);
        const part = Buffer.concat([bytes, bytes]).subarray(0, size);
        await store.put(key, bodyOf(part), { size, handOver: true });
        assertBytes(await getBytes(store, key), bytes);
        assertBytes(part, bytes);
      }
    },
  },
  {
    title: "what an object is to say of itself changes nothing of its bytes, whether or not the store keeps it",
    run: async (store) => {
      const about = { contentDisposition: "attachment; filename=a.zip", metadata: { about: "a zip" } };
      const version = await putBytes(store, key, bytesOf(1, 2000), { ...about, contentType: "application/zip" });
      assertSameStat(await store.stat(key), version);
      assertBytes(await getBytes(store, key), bytesOf(1, 2000));
    },
  },
  {
    title: "put replaces what is there, with another etag",
    run: async (store) => {
      const first = await putBytes(store, key, bytesOf(1, 2000));
      const second = await putBytes(store, key, bytesOf(2, 1000));
      assert.notEqual(second.etag, first.etag);
      assertSameStat(await store.stat(key), second);
      assertBytes(await getBytes(store, key), bytesOf(2, 1000));
    },
  },
  {
    title: "a body that throws leaves nothing, and its own error is what put throws",
    run: async (store) => {
      for (const error of [
        new Error("the body's own"),
        Object.assign(new Error("reset"), { code: "ECONNRESET", syscall: "read" }),
      ]) {
        for (const size of [0, 1000, 5 * MiB]) {
          const body = failingBody(bytesOf(1, size), error);
          await assertNothingStored(store, [[body, { size: 6 * MiB }]], being(error));
        }
      }
    },
  },
  {
    title: "a body that throws after its last byte leaves nothing",
    run: async (store) => {
      const error = new Error("the body's own");
      for (const size of [0, 1000, 5 * MiB]) {
        await assertNothingStored(store, [[failingBody(bytesOf(1, size), error), { size }]], being(error));
      }
    },
  },
  {
    title: "a body that is shorter or longer than announced is invalid and leaves nothing",
    run: async (store) => {
      const attempts = [1000, 5 * MiB].flatMap((size) =>
        [0, size - 1, size + 1, size + 2 * MiB].map((length) => [bodyOf(bytesOf(1, length)), { size }] as const),
      );
      await assertNothingStored(store, attempts, withCode("invalid"));
      await assertNothingStored(store, [[bodyOf(bytesOf(1, 1)), { size: 0 }]], withCode("invalid"));
    },
  },
  {
    title: "a size that is no number of bytes is invalid",
    run: async (store) => {
      const attempts = [Number.NaN, -1, 9.5].map((size) => [bodyOf(bytesOf(1, 10)), { size }] as const);
      await assertNothingStored(store, attempts, withCode("invalid"));
      await assertNothingStored(store, [[bodyOf(bytesOf(1, 0)), { size: Number.NaN }]], withCode("invalid"));
    },
  },
  {
    title: "a put that fails leaves what was there",
    run: async (store) => {
      const stat = await putBytes(store, key, bytesOf(1, 1000));
      const error = new Error("the body's own");
      await assert.rejects(store.put(key, failingBody(bytesOf(2, 500), error), { size: 1000 }), being(error));
      await assert.rejects(store.put(key, bodyOf(bytesOf(2, 999)), { size: 1000 }), withCode("invalid"));
      assertSameStat(await store.stat(key), stat);
      assertBytes(await getBytes(store, key), bytesOf(1, 1000));
    },
  },
  {
    title: "nothing is seen of an object before its body has ended",
    run: async (store) => {
      const { promise, resolve } = Promise.withResolvers<Uint8Array>();
      const begun = Promise.withResolvers<void>();
      const body = new TestBody(
        (function* () {
          yield bytesOf(1, 5 * MiB);
          begun.resolve();
          yield promise;
        })(),
      );
      const put = store.put(key, body, { size: 5 * MiB + 10 });
      await begun.promise;
      await assertAbsent(store, key);
      resolve(bytesOf(2, 10));
      await put;
      assertBytes(await getBytes(store, key), Buffer.concat([bytesOf(1, 5 * MiB), bytesOf(2, 10)]));
    },
  },
  {
    title: "of many puts at once one whole body wins",
    run: async (store) => {
      const bodies = Array.from({ length: 12 }, (_, i) => bytesOf(i, i % 2 === 0 ? 20_000 + i : MiB + i));
      await Promise.all(bodies.map((bytes) => putBytes(store, key, bytes)));
      const stored = await getBytes(store, key);
      assert.ok(bodies.some((bytes) => bytes.equals(stored)));
    },
  },
  {
    title: "an etag never returns, however quickly an object is replaced or put again",
    run: async (store) => {
      const etags: string[] = [];
      for (let i = 0; i < 50; i++) etags.push((await putBytes(store, key, bytesOf(i, 10))).etag);
      for (let i = 0; i < 50; i++) {
        await store.delete(key);
        etags.push((await putBytes(store, key, bytesOf(i, 10))).etag);
      }
      assert.equal(new Set(etags).size, etags.length);
    },
  },
  {
    title: "deleting removes, and deleting what is absent succeeds",
    run: async (store) => {
      await store.delete(key);
      await putBytes(store, key, bytesOf(1, 10));
      const neighbour = await putBytes(store, parseKey("objects/one2"), bytesOf(2, 10));
      await store.delete(key);
      await assertAbsent(store, key);
      await store.delete(key);
      await store.delete(parseKey("objects"));
      await store.delete(parseKey("objects/one2/below"));
      assertSameStat(await store.stat(neighbour.key), neighbour);
      await putBytes(store, key, bytesOf(3, 10));
      assertBytes(await getBytes(store, key), bytesOf(3, 10));
    },
  },
  {
    title: "a store that does not check digests says so instead of storing unchecked",
    without: "checkSha256",
    run: async (store) => {
      const body = bodyOf(bytesOf(1, 10));
      await assertNothingStored(
        store,
        [[body, { size: 10, sha256: sha256Of(bytesOf(1, 10)) }]],
        withCode("unsupported"),
      );
    },
  },
  {
    title: "a body with the right digest is stored",
    needs: "checkSha256",
    run: async (store) => {
      for (const size of [0, 10, 3 * MiB]) {
        const bytes = bytesOf(1, size);
        await putBytes(store, key, bytes, { sha256: sha256Of(bytes) });
        assertBytes(await getBytes(store, key), bytes);
      }
    },
  },
  {
    title: "a body with another digest is corrupt, one of another length invalid, and neither leaves anything",
    needs: "checkSha256",
    run: async (store) => {
      for (const size of [1, 1000, 5 * MiB]) {
        const bytes = bytesOf(1, size);
        const o = { size, sha256: sha256Of(bytes) };
        await assertNothingStored(store, [[bodyOf(bytesOf(2, size)), o]], withCode("corrupt"));
        const short = bodyOf(bytes.subarray(1));
        const long = bodyOf(Buffer.concat([bytes, bytes]));
        await assertNothingStored(
          store,
          [
            [short, o],
            [long, o],
          ],
          withCode("invalid"),
        );
      }
      const empty = { size: 0, sha256: sha256Of(bytesOf(1, 1)) };
      await assertNothingStored(store, [[bodyOf(bytesOf(1, 0)), empty]], withCode("corrupt"));
    },
  },
  {
    title: "keys that look dangerous are only names",
    run: async (store) => {
      const names = [
        "...",
        "..a/b..",
        "%2e%2e/%2F",
        "a b/ c ",
        "~/$HOME",
        "-rf",
        "a'\"b",
        "#?&+=;",
        "ä/日本/😀",
        "x".repeat(200),
      ];
      for (const [i, name] of names.entries()) await putBytes(store, parseKey(name), bytesOf(i, 100));
      for (const [i, name] of names.entries()) assertBytes(await getBytes(store, parseKey(name)), bytesOf(i, 100));
      assert.deepEqual((await listKeys(store)).sort(), names.sort());
    },
  },
  {
    title: "a key and one below it live side by side",
    run: async (store) => {
      await putBytes(store, parseKey("a"), bytesOf(1, 10));
      await putBytes(store, parseKey("a/b"), bytesOf(2, 10));
      assert.deepEqual(await listKeys(store), ["a", "a/b"]);
    },
  },
];
