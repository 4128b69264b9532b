import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertBytes,
  bodyOf,
  bytesOf,
  getBytes,
  key,
  MiB,
  putBytes,
  sha256Of,
  withCode,
} from "../../contract/contract-test.ts";
import { parseKey, type ObjectKey } from "../../key.ts";
import { MemoryStore } from "../../memory/store.ts";
import type { ObjectVersion, PutOptions } from "../../port.ts";
import { VerifyLayer } from "../verify.ts";
import { EncryptLayer } from "./encrypt-layer.ts";
import { keyringOf } from "./fixtures/keys.ts";
import { SEGMENT, storedSize } from "./format.ts";
import { HEADER } from "./header.ts";

test("nothing of the bytes is in the store, and the same bytes are never stored alike", async () => {
  const inner = new MemoryStore();
  const store = new EncryptLayer(inner, keyringOf("a"));
  const bytes = Buffer.alloc(3 * SEGMENT, "the same line again and again\n");
  const seen = new Set<string>();
  for (const name of ["one", "two", "one"]) {
    const at = parseKey(`objects/${name}`);
    await putBytes(store, at, bytes);
    const stored = await getBytes(inner, at);
    assert.equal(stored.length, storedSize(bytes.length));
    assert.ok(!stored.includes("line"));
    // No block of the cipher comes twice, neither here nor in another object.
    for (let block = HEADER; block + 16 <= stored.length; block += 16) {
      const text = stored.toString("latin1", block, block + 16);
      assert.ok(!seen.has(text));
      seen.add(text);
    }
  }
});

test("an object says which key it is under, for who looks into the store", async () => {
  const inner = new MemoryStore();
  await putBytes(new EncryptLayer(inner, keyringOf("2026-11", "2025")), key, bytesOf(1, 10));
  const stored = await getBytes(inner, key);
  assert.equal(stored.toString("latin1", 0, 24), "holdall-aead-v1\n2026-11\0");
});

test("it encrypts as the store takes it, in memory that the store may free, and frees what it was given", async () => {
  const size = 8 * MiB;
  let given = 0;
  const chunks: Uint8Array[] = [];
  const body = async function* (): AsyncGenerator<Uint8Array> {
    for (; given < size; given += MiB) {
      const chunk = new Uint8Array(MiB);
      chunks.push(chunk);
      yield chunk;
    }
  };
  class Taking extends MemoryStore {
    override async put(at: ObjectKey, stored: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
      assert.equal(o.handOver, true);
      assert.deepEqual([o.contentType, o.contentDisposition, o.metadata], [undefined, undefined, undefined]);
      let taken = 0;
      for await (const chunk of stored) {
        taken += chunk.length;
        assert.ok(given - taken <= 2 * MiB, `${given} bytes were read when ${taken} were taken`);
      }
      assert.equal(taken, o.size);
      return { key: at, size: taken, etag: "1" };
    }
  }
  const store = new EncryptLayer(new Taking(), keyringOf("a"));
  const version = await store.put(key, body(), {
    size,
    handOver: true,
    contentType: "text/plain",
    contentDisposition: "attachment; filename=secret.txt",
    metadata: { about: "a secret" },
  });
  assert.deepEqual(version, { key, size, etag: "1" });
  assert.ok(chunks.every(({ byteLength }) => byteLength === 0));
  chunks.length = 0;
  given = 0;
  await store.put(key, body(), { size });
  assert.ok(
    chunks.every(({ byteLength }) => byteLength === MiB),
    "unless they were not given away",
  );
});

test("digests are those of the bytes themselves, and checked outside", async () => {
  const store = new VerifyLayer(new EncryptLayer(new MemoryStore(), keyringOf("a")));
  const bytes = bytesOf(1, 2 * SEGMENT);
  await putBytes(store, key, bytes, { sha256: sha256Of(bytes) });
  const wrong = store.put(key, bodyOf(bytesOf(2, 2 * SEGMENT)), { size: 2 * SEGMENT, sha256: sha256Of(bytes) });
  await assert.rejects(wrong, withCode("corrupt"));
  assertBytes(await getBytes(store, key), bytes);
});

test("an object with more segments than there are numbers is refused", async () => {
  const store = new EncryptLayer(new MemoryStore(), keyringOf("a"));
  const size = 2 ** 32 * SEGMENT;
  await assert.rejects(store.put(key, bodyOf(bytesOf(1, 10)), { size: size + 1 }), {
    code: "invalid",
    message: `${size + 1} bytes are more than an encrypted object can have`,
  });
});
