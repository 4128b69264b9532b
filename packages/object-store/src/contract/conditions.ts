import assert from "node:assert/strict";
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
  putBytes,
  readBody,
  sha256Of,
  winners,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

const RACERS = Array.from({ length: 16 }, (_, i) => i);

export const conditionTests: readonly ContractTest[] = [
  {
    title: "ifAbsent creates, and never replaces",
    needs: "putIfAbsent",
    run: async (store) => {
      const stat = await putBytes(store, key, bytesOf(1, 1000), { ifAbsent: true });
      assertSameStat(await store.stat(key), stat);
      await assert.rejects(putBytes(store, key, bytesOf(2, 1000), { ifAbsent: true }), withCode("conflict"));
      assertSameStat(await store.stat(key), stat);
      assertBytes(await getBytes(store, key), bytesOf(1, 1000));
      await store.delete(key);
      await putBytes(store, key, bytesOf(3, 1000), { ifAbsent: true });
      assertBytes(await getBytes(store, key), bytesOf(3, 1000));
    },
  },
  {
    title: "of 16 creators at once exactly one succeeds, and all bodies are read to their end",
    needs: "putIfAbsent",
    run: async (store) => {
      const contents = RACERS.map((i) => bytesOf(i, 150_000 + i));
      const bodies = contents.map((bytes) => bodyOf(bytes));
      const puts = bodies.map((body, i) => store.put(key, body, { size: 150_000 + i, ifAbsent: true }));
      const [winner, ...others] = await winners(puts, "conflict");
      assert.equal(others.length, 0);
      assert.ok(winner !== undefined, "one succeeded");
      assert.ok(bodies.every((body) => body.ended));
      assertSameStat(await store.stat(key), winner);
      assertBytes(await getBytes(store, key), contents[winner.size - 150_000] ?? Buffer.alloc(0));
    },
  },
  {
    title: "when an object is there the body still has its say before the conflict",
    needs: "putIfAbsent",
    run: async (store) => {
      const stat = await putBytes(store, key, bytesOf(1, 1000));
      const body = bodyOf(bytesOf(1, 1000));
      await assert.rejects(store.put(key, body, { size: 1000, ifAbsent: true }), withCode("conflict"));
      assert.ok(body.ended, "the body was read to its end");
      const error = new Error("the body's own");
      const failing = failingBody(bytesOf(1, 1000), error);
      await assert.rejects(store.put(key, failing, { size: 1000, ifAbsent: true }), being(error));
      for (const length of [999, 1001]) {
        const wrong = store.put(key, bodyOf(bytesOf(1, length)), { size: 1000, ifAbsent: true });
        await assert.rejects(wrong, withCode("invalid"));
      }
      assertSameStat(await store.stat(key), stat);
    },
  },
  {
    title: "when an object is there a body with another digest is corrupt rather than a conflict",
    needs: ["checkSha256", "putIfAbsent"],
    run: async (store) => {
      const sha256 = sha256Of(bytesOf(1, 1000));
      await putBytes(store, key, bytesOf(1, 1000), { sha256 });
      const wrong = putBytes(store, key, bytesOf(2, 1000), { ifAbsent: true, sha256 });
      await assert.rejects(wrong, withCode("corrupt"));
      const right = putBytes(store, key, bytesOf(1, 1000), { ifAbsent: true, sha256 });
      await assert.rejects(right, withCode("conflict"));
    },
  },
  {
    title: "ifMatch replaces this version only",
    needs: "compareAndSwap",
    run: async (store) => {
      const absent = putBytes(store, key, bytesOf(0, 10), { ifMatch: "never" });
      await assert.rejects(absent, withCode("conflict"));
      await assertAbsent(store, key);
      const first = await putBytes(store, key, bytesOf(1, 10));
      const second = await putBytes(store, key, bytesOf(2, 10), { ifMatch: first.etag });
      assertSameStat(await store.stat(key), second);
      const late = putBytes(store, key, bytesOf(3, 10), { ifMatch: first.etag });
      await assert.rejects(late, withCode("conflict"));
      assertBytes(await getBytes(store, key), bytesOf(2, 10));
      await store.delete(key);
      const gone = putBytes(store, key, bytesOf(3, 10), { ifMatch: second.etag });
      await assert.rejects(gone, withCode("conflict"));
      await assertAbsent(store, key);
    },
  },
  {
    title: "of 16 replacements of one version at once exactly one succeeds",
    needs: "compareAndSwap",
    run: async (store) => {
      for (let round = 0; round < 5; round++) {
        const { etag } = await putBytes(store, key, bytesOf(100, 10));
        const puts = RACERS.map((i) => putBytes(store, key, bytesOf(i, 20 + i), { ifMatch: etag }));
        const [winner, ...others] = await winners(puts, "conflict");
        assert.equal(others.length, 0);
        assert.ok(winner !== undefined, "one succeeded");
        assertSameStat(await store.stat(key), winner);
        assertBytes(await getBytes(store, key), bytesOf(winner.size - 20, winner.size));
      }
    },
  },
  {
    title: "the etag that a replacement returns is its own, so that writers who go on from it lose nothing",
    needs: "compareAndSwap",
    run: async (store) => {
      const log = async (): Promise<string> => (await getBytes(store, key)).toString();
      await putBytes(store, key, Buffer.from(""));
      // Each reads only after a conflict and otherwise goes on from what it wrote itself.
      const write = async (name: string): Promise<void> => {
        let known = { etag: "", text: "" };
        for (let done = 0; done < 10;) {
          const text = `${known.text}${name}${done} `;
          try {
            const { etag } = await putBytes(store, key, Buffer.from(text), { ifMatch: known.etag });
            known = { etag, text };
            done += 1;
          } catch (error) {
            withCode("conflict")(error);
            const object = await store.get(key);
            known = { etag: object.etag, text: (await readBody(object.body)).toString() };
          }
        }
      };
      await Promise.all(["a", "b", "c", "d"].map(write));
      const entries = (await log()).trim().split(" ");
      assert.equal(new Set(entries).size, 40);
      assert.equal(entries.length, 40);
    },
  },
  {
    title: "a chain of 50 quick replacements never repeats an etag",
    needs: "compareAndSwap",
    run: async (store) => {
      const etags = [(await putBytes(store, key, bytesOf(0, 10))).etag];
      for (let i = 1; i <= 50; i++) {
        etags.push((await putBytes(store, key, bytesOf(i, 10), { ifMatch: etags.at(-1) ?? "" })).etag);
      }
      assert.equal(new Set(etags).size, 51);
    },
  },
  {
    title: "delete with ifMatch removes this version only",
    needs: "deleteIfMatch",
    run: async (store) => {
      await assert.rejects(store.delete(key, { ifMatch: "never" }), withCode("conflict"));
      const first = await putBytes(store, key, bytesOf(1, 10));
      const second = await putBytes(store, key, bytesOf(2, 10));
      await assert.rejects(store.delete(key, { ifMatch: first.etag }), withCode("conflict"));
      assertSameStat(await store.stat(key), second);
      const deletions = RACERS.map(() => store.delete(key, { ifMatch: second.etag }));
      assert.equal((await winners(deletions, "conflict")).length, 1);
      await assertAbsent(store, key);
    },
  },
  {
    title: "ifMatch and unconditional calls keep one order",
    needs: "compareAndSwap",
    run: async (store) => {
      for (let round = 0; round < 20; round++) {
        const { etag } = await putBytes(store, key, bytesOf(0, 10));
        const swap = putBytes(store, key, bytesOf(1, 11), { ifMatch: etag });
        const [swapped] = await Promise.all([winners([swap], "conflict"), store.delete(key)]);
        // Before the deletion it succeeds and is deleted; after it, it conflicts. Never does it come back.
        assert.ok(swapped.length <= 1);
        await assertAbsent(store, key);
      }
    },
  },
];
