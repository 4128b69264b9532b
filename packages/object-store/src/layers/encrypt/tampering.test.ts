import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertBytes, bodyOf, bytesOf, getBytes, key, putBytes, withCode } from "../../contract/contract-test.ts";
import { StorageError, type StorageErrorCode } from "../../errors.ts";
import { parseKey, type ObjectKey } from "../../key.ts";
import { MemoryStore } from "../../memory/store.ts";
import type { ByteRange, GetOptions, ObjectStore, StoredObject } from "../../port.ts";
import { Layer } from "../layer.ts";
import { EncryptLayer } from "./encrypt-layer.ts";
import { keyOf, keyringOf } from "./fixtures/keys.ts";
import { plainSize, SEALED, SEGMENT } from "./format.ts";
import { HEADER, SALT } from "./header.ts";
import { Keyring } from "./keyring.ts";

const SIZES = [0, 1, 1000, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 777];

/** An encrypted object, and what is stored of it. */
async function encrypted(bytes: Uint8Array): Promise<{ inner: MemoryStore; store: ObjectStore; stored: Buffer }> {
  const inner = new MemoryStore();
  const store = new EncryptLayer(inner, keyringOf("a", "b"));
  await putBytes(store, key, bytes);
  return { inner, store, stored: await getBytes(inner, key) };
}

/** Reads until it is refused, if it is. @returns what was handed out, and the code of the refusal */
async function readAsFar(
  store: ObjectStore,
  range?: ByteRange,
): Promise<{ bytes: Buffer; refused: StorageErrorCode | undefined }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of (await store.get(key, range === undefined ? {} : { range })).body) chunks.push(chunk);
  } catch (error) {
    assert.ok(error instanceof StorageError, String(error));
    return { bytes: Buffer.concat(chunks), refused: error.code };
  }
  return { bytes: Buffer.concat(chunks), refused: undefined };
}

/** Whatever was done to the store: the whole is refused, and no byte is handed out that is not the object's in its place. */
async function assertRefused(store: ObjectStore, bytes: Buffer): Promise<void> {
  const whole = await readAsFar(store);
  assert.ok(["corrupt", "denied", "unsupported"].includes(whole.refused ?? ""), `refused as ${whole.refused}`);
  assertBytes(whole.bytes, bytes.subarray(0, whole.bytes.length));
  for (let start = 0; start < bytes.length; start += SEGMENT) {
    const part = await readAsFar(store, { start, end: start + 9 });
    const expected = bytes.subarray(start, start + 10);
    // A part that nobody has touched may be right.
    if (part.refused === undefined) assertBytes(part.bytes, expected);
    else assert.equal(part.bytes.length, 0);
  }
}

async function assertNothing(store: ObjectStore): Promise<void> {
  const { bytes, refused } = await readAsFar(store);
  assert.deepEqual([bytes.length, refused], [0, "corrupt"]);
}

const size = fc.constantFrom(...SIZES);

test("a single bit anywhere is noticed", async () => {
  for (const size of SIZES) {
    const bytes = bytesOf(size, size);
    const { inner, store, stored } = await encrypted(bytes);
    // Each byte of the header and of the tags, and some of the others.
    const telling = new Set(Array.from({ length: HEADER }, (_, at) => at));
    for (let end = stored.length; end > HEADER; end = HEADER + Math.floor((end - 1 - HEADER) / SEALED) * SEALED) {
      for (let at = end - 16; at < end; at++) telling.add(at);
    }
    const position = fc.oneof(fc.constantFrom(...telling), fc.nat({ max: stored.length - 1 }));
    await fc.assert(
      fc.asyncProperty(position, fc.nat({ max: 7 }), async (at, bit) => {
        const changed = Buffer.from(stored);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        await putBytes(inner, key, changed);
        await assertRefused(store, bytes);
      }),
      { seed: 20_261_102, numRuns: 100 },
    );
    await putBytes(inner, key, stored);
    assertBytes(await getBytes(store, key), bytes);
  }
});

test("what is cut or added to is noticed, and stat does not tell the right size of what was cut", async () => {
  await fc.assert(
    fc.asyncProperty(size, fc.nat(), fc.boolean(), async (size, where, atSegment) => {
      const bytes = bytesOf(size, size);
      const { inner, store, stored } = await encrypted(bytes);
      const anywhere = where % stored.length;
      const cut = atSegment ? HEADER + Math.floor(Math.max(0, anywhere - HEADER) / SEALED) * SEALED : anywhere;
      await putBytes(inner, key, stored.subarray(0, cut));
      await assertRefused(store, bytes);
      const now = (await store.stat(key))?.size ?? -1;
      assert.ok(size === 0 ? now === 0 : now < size, `${now} of ${size}`);
      await putBytes(inner, key, Buffer.concat([stored, bytesOf(9, 1 + (where % 100))]));
      await assertRefused(store, bytes);
      await putBytes(inner, key, Buffer.concat([stored, stored.subarray(HEADER)]));
      await assertRefused(store, bytes);
    }),
    { seed: 20_261_103, numRuns: 60 },
  );
});

test("segments that change places, are repeated or left out are noticed", async () => {
  const bytes = bytesOf(1, 4 * SEGMENT);
  const { inner, store, stored } = await encrypted(bytes);
  const segments = [0, 1, 2, 3].map((i) => stored.subarray(HEADER + i * SEALED, HEADER + (i + 1) * SEALED));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 3 }), { maxLength: 6 }), async (order) => {
      fc.pre(order.join() !== "0,1,2,3");
      const shuffled = order.map((i) => segments[i] ?? Buffer.alloc(0));
      await putBytes(inner, key, Buffer.concat([stored.subarray(0, HEADER), ...shuffled]));
      await assertRefused(store, bytes);
    }),
    { seed: 20_261_104, numRuns: 60 },
  );
});

test("an object under another's name, and a header before another's segments, are noticed", async () => {
  const bytes = bytesOf(1, SEGMENT + 10);
  const { inner, store, stored } = await encrypted(bytes);
  const other = parseKey("objects/two");
  await putBytes(store, other, bytes);
  const others = await getBytes(inner, other);
  await putBytes(inner, key, others);
  await assertNothing(store);
  for (const parts of [
    [others.subarray(0, HEADER), stored.subarray(HEADER)],
    [stored.subarray(0, HEADER), others.subarray(HEADER)],
    [stored.subarray(0, HEADER - SALT), others.subarray(HEADER - SALT, HEADER), stored.subarray(HEADER)],
  ]) {
    await putBytes(inner, key, Buffer.concat(parts));
    await assertNothing(store);
  }
});

test("another key of the same name opens nothing, and the key ids of two objects cannot be exchanged", async () => {
  const bytes = bytesOf(1, 2 * SEGMENT);
  const { inner, store, stored } = await encrypted(bytes);
  const wrong = new Keyring({ current: "a", keys: [{ id: "a", key: keyOf("another").key }] });
  await assertNothing(new EncryptLayer(inner, wrong));
  const renamed = Buffer.from(stored);
  renamed[renamed.indexOf("\na\0") + 1] = "b".charCodeAt(0);
  await putBytes(inner, key, renamed);
  await assertNothing(store);
  // Nor when the keys are the same.
  const { key: same } = keyOf("a");
  const twice = new Keyring({ current: "a", keys: ["a", "b"].map((id) => ({ id, key: same })) });
  await assertNothing(new EncryptLayer(inner, twice));
});

test("a key that is missing is named, and nothing is said about those that are there", async () => {
  const { inner } = await encrypted(bytesOf(1, 3 * SEGMENT));
  const others = new EncryptLayer(inner, keyringOf("b", "c"));
  for (const o of [{}, { range: { start: 2 * SEGMENT } }]) {
    await assert.rejects(others.get(key, o), {
      code: "denied",
      retryable: false,
      message: `${key} is encrypted with the key a, which the configuration does not have: add it to encryption.keys`,
    });
  }
  // An id from the store is shown only when it is one.
  const stored = await getBytes(inner, key);
  stored.write("a\x1b[31m", stored.indexOf("\na\0") + 1);
  await putBytes(inner, key, stored);
  await assert.rejects(others.get(key), { code: "corrupt", message: /^the header of objects\/one is damaged/ });
});

test("what is not encrypted is refused, whatever its size", async () => {
  const inner = new MemoryStore();
  const store = new EncryptLayer(inner, keyringOf("a"));
  for (const size of [0, 1, HEADER - 1, HEADER, HEADER + 16, SEGMENT, 3 * SEGMENT]) {
    await putBytes(inner, key, bytesOf(size, size));
    await assertNothing(store);
    await assert.rejects(store.get(key, { range: { start: 2 * SEGMENT } }), {
      code: "corrupt",
      message: /is not encrypted.*holdall store reencrypt --include-plain/,
    });
    await assert.rejects(store.get(key, { range: { start: 0, end: 0 } }), withCode("corrupt"));
    const [listed] = await Array.fromAsync(store.list(""));
    assert.equal(listed?.size, plainSize(size));
    assert.ok(size === 0 || plainSize(size) < size);
  }
});

test("a store that sends less or more than it says is no end, and no more of the object", async () => {
  const bytes = bytesOf(1, 2 * SEGMENT);
  const { inner, stored } = await encrypted(bytes);
  class Lying extends Layer {
    sent: Buffer = stored;

    override async get(at: ObjectKey, o?: GetOptions): Promise<StoredObject> {
      const { key, size, etag, modifiedAt, range } = await super.get(at, o);
      return { key, size, etag, modifiedAt, range, body: bodyOf(this.sent) };
    }
  }
  const lying = new Lying(inner);
  const store = new EncryptLayer(lying, keyringOf("a"));
  assertBytes(await getBytes(store, key), bytes);
  for (const cut of [HEADER, HEADER + 10, HEADER + SEALED, HEADER + SEALED + 10, stored.length - 1]) {
    lying.sent = stored.subarray(0, cut);
    const { bytes: read, refused } = await readAsFar(store);
    assert.equal(refused, "corrupt");
    assertBytes(read, bytes.subarray(0, read.length));
  }
  lying.sent = Buffer.concat([stored, Buffer.from("more")]);
  assert.equal((await readAsFar(store)).refused, "corrupt");
});

test("a form of a later version is not taken for something else", async () => {
  const { inner, store, stored } = await encrypted(bytesOf(1, 10));
  const later = Buffer.from(stored);
  later.write("2", stored.indexOf("1\n"));
  await putBytes(inner, key, later);
  await assert.rejects(store.get(key), { code: "unsupported", message: /upgrade/ });
});
