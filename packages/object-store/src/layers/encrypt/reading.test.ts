import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  assertBytes,
  bodyOf,
  bytesOf,
  collect,
  getBytes,
  key,
  KiB,
  putBytes,
  readBody,
  type TestBody,
  withCode,
} from "../../contract/contract-test.ts";
import { MemoryStore } from "../../memory/store.ts";
import type { ObjectKey } from "../../key.ts";
import type { GetOptions, ObjectStore, StoredObject } from "../../port.ts";
import { Layer } from "../layer.ts";
import { EncryptLayer } from "./encrypt-layer.ts";
import { keyringOf } from "./fixtures/keys.ts";
import { Counted } from "./fixtures/counted.ts";
import { SEALED, SEGMENT } from "./format.ts";
import { HEADER } from "./header.ts";

const keyring = keyringOf("a");

/** Sizes and positions around the edges of segments, and any others. */
function around(most: number): fc.Arbitrary<number> {
  const edges = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT].filter((at) => at <= most);
  return fc.oneof(fc.constantFrom(...edges), fc.nat({ max: most }));
}

const object = around(4 * SEGMENT).chain((size) =>
  fc.record({
    size: fc.constant(size),
    start: around(Math.max(0, size - 1)),
    length: fc.option(fc.oneof(fc.constantFrom(1, SEGMENT, SEGMENT + 1), fc.integer({ min: 1, max: size + 10 }))),
    written: fc.constantFrom(1000, 64 * KiB, 100_003, 1024 * KiB),
  }),
);

/** A store that sends what it has in chunks of this many bytes. */
class Chunked extends Layer {
  chunk = 1;

  override async get(at: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    const { key, size, etag, modifiedAt, range, body } = await super.get(at, o);
    const bytes = await readBody(body);
    return { key, size, etag, modifiedAt, range, body: bodyOf(bytes, this.chunk) };
  }
}

test("any range of any object is right, in whatever chunks it was written and is sent", async () => {
  const inner = new Chunked(new MemoryStore());
  const store = new EncryptLayer(inner, keyring);
  const chunks = fc.constantFrom(997, 16 * KiB, SEALED, 1024 * KiB);
  await fc.assert(
    fc.asyncProperty(object, chunks, fc.boolean(), async ({ size, start, length, written }, chunk, borrow) => {
      const bytes = bytesOf(size, size);
      await store.put(key, bodyOf(bytes, written), { size });
      inner.chunk = chunk;
      const read = async (o: GetOptions): Promise<Buffer> => {
        const copies: Buffer[] = [];
        for await (const piece of (await store.get(key, { ...o, borrow })).body) copies.push(Buffer.from(piece));
        return Buffer.concat(copies);
      };
      assertBytes(await read({}), bytes);
      if (size === 0) return;
      const range = { start, ...(length === null ? {} : { end: start + length - 1 }) };
      assertBytes(await read({ range }), bytes.subarray(start, length === null ? size : start + length));
    }),
    { seed: 20_261_101, numRuns: 150 },
  );
});

test("each call takes as few requests as it can, and asks for no segment that nobody wants", async () => {
  const inner = new Counted(new MemoryStore());
  const store = new EncryptLayer(inner, keyring);
  const size = 5 * SEGMENT + 10;
  await putBytes(store, key, bytesOf(1, size));
  const during = async (call: () => Promise<unknown>): Promise<string[]> => {
    inner.calls.length = 0;
    await call();
    return [...inner.calls];
  };
  const get = (start: number, end?: number): Promise<unknown> =>
    store.get(key, { range: { start, ...(end === undefined ? {} : { end }) } }).then(({ body }) => readBody(body));
  const header = `get 0-${HEADER - 1}`;
  const from = (segment: number): number => HEADER + segment * SEALED;

  assert.deepEqual(await during(() => store.stat(key)), ["stat"]);
  assert.deepEqual(await during(() => collect(store.list(""))), []);
  assert.deepEqual(await during(() => getBytes(store, key)), ["get"]);
  assert.deepEqual(await during(() => get(0)), ["get"]);
  assert.deepEqual(await during(() => get(SEGMENT - 1)), ["get"]);
  assert.deepEqual(await during(() => get(10, 19)), [`get 0-${from(1) - 1}`]);
  assert.deepEqual(await during(() => get(0, SEGMENT)), [`get 0-${from(2) - 1}`]);
  assert.deepEqual(await during(() => get(SEGMENT)), [header, `get ${from(1)}-`]);
  assert.deepEqual(await during(() => get(2 * SEGMENT + 5, 2 * SEGMENT + 5)), [
    header,
    `get ${from(2)}-${from(3) - 1}`,
  ]);
  assert.deepEqual(await during(() => get(2 * SEGMENT - 1, 2 * SEGMENT)), [header, `get ${from(1)}-${from(3) - 1}`]);
  assert.deepEqual(await during(() => assert.rejects(get(size), withCode("invalid"))), [header, `get ${from(5)}-`]);
  assert.deepEqual(await during(() => assert.rejects(get(-1), withCode("invalid"))), ["get"]);
});

test("the two requests of a range are under way at the same time", async () => {
  const both = Promise.withResolvers<void>();
  let underway = 0;
  class Waiting extends Layer {
    override async get(at: ObjectKey, o?: GetOptions): Promise<StoredObject> {
      underway += 1;
      if (underway === 2) both.resolve();
      await both.promise;
      return super.get(at, o);
    }
  }
  const store = new EncryptLayer(new Waiting(new MemoryStore()), keyring);
  await putBytes(store, key, bytesOf(1, 2 * SEGMENT));
  const { body } = await store.get(key, { range: { start: SEGMENT } });
  assertBytes(await readBody(body), bytesOf(1, 2 * SEGMENT).subarray(SEGMENT));
});

test("what is refused about a range is said in bytes of the object", async () => {
  const store = new EncryptLayer(new MemoryStore(), keyring);
  for (const size of [10, SEGMENT, 2 * SEGMENT]) {
    await putBytes(store, key, bytesOf(1, size));
    for (const start of [size, size + 1, 10 * SEGMENT]) {
      await assert.rejects(store.get(key, { range: { start } }), {
        code: "invalid",
        message: `bytes ${start}- are not a range of ${key}, which has ${size} bytes`,
      });
    }
  }
});

/** A store that is asked one thing after the other, and in which something happens after each. */
class InTurns extends Layer {
  readonly bodies: TestBody[] = [];
  readonly #after: () => Promise<unknown>;
  #turn: Promise<void> = Promise.resolve();

  constructor(inner: ObjectStore, after: () => Promise<unknown>) {
    super(inner);
    this.#after = after;
  }

  override async get(at: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      const { key, size, etag, modifiedAt, range, body } = await super.get(at, o);
      const noted = bodyOf(await readBody(body));
      this.bodies.push(noted);
      await this.#after();
      return { key, size, etag, modifiedAt, range, body: noted };
    } finally {
      resolve();
    }
  }
}

test("an object that is replaced between the two requests of a range is read as it was or as it is", async () => {
  const plain = new MemoryStore();
  const bytes = bytesOf(1, 3 * SEGMENT);
  for (const times of [1, 4]) {
    let left = times;
    const inTurns = new InTurns(plain, async () => {
      if (left-- > 0) await putBytes(new EncryptLayer(plain, keyring), key, bytes);
    });
    const store = new EncryptLayer(inTurns, keyring);
    await putBytes(store, key, bytes);
    const { body } = await store.get(key, { range: { start: 2 * SEGMENT }, immutable: true });
    assert.ok(inTurns.bodies.length > 2, "it was asked for again");
    assertBytes(await readBody(body), bytes.subarray(2 * SEGMENT));
    assert.ok(inTurns.bodies.every(({ over }) => over));
  }
});

test("of an object that is replaced again and again nothing is pieced together", async () => {
  const plain = new MemoryStore();
  const bytes = bytesOf(1, 3 * SEGMENT);
  const inTurns = new InTurns(plain, () => putBytes(new EncryptLayer(plain, keyring), key, bytes));
  const store = new EncryptLayer(inTurns, keyring);
  await putBytes(store, key, bytes);
  await assert.rejects(store.get(key, { range: { start: SEGMENT } }), withCode("unavailable"));
  assert.ok(
    inTurns.bodies.every(({ over }) => over),
    "all that was opened was given back",
  );
});

test("what the store knew from before does not stand in the way of an object under a new key", async () => {
  const plain = new MemoryStore();
  const bytes = bytesOf(1, 3 * SEGMENT);
  await putBytes(new EncryptLayer(plain, keyringOf("old")), key, bytes);
  const before = await getBytes(plain, key);
  await putBytes(new EncryptLayer(plain, keyringOf("new")), key, bytes);
  const cache = new MemoryStore();
  await putBytes(cache, key, before);
  /** Knows nothing of the new version, or only of some of its ranges. */
  class Cached extends Layer {
    knows: (start: number) => boolean = () => true;

    override async get(at: ObjectKey, o?: GetOptions): Promise<StoredObject> {
      const known = o?.immutable === true && this.knows(o.range?.start ?? 0);
      return await (known ? cache.get(at, o) : super.get(at, o));
    }
  }
  const cached = new Cached(plain);
  for (const knows of [() => true, (start: number) => start === 0, (start: number) => start > 0]) {
    cached.knows = knows;
    for (const keyring of [keyringOf("new"), keyringOf("new", "old")]) {
      const store = new EncryptLayer(cached, keyring);
      for (const start of [0, 2 * SEGMENT]) {
        const { body } = await store.get(key, { range: { start }, immutable: true });
        assertBytes(await readBody(body), bytes.subarray(start));
      }
    }
  }
});

test("it reads no further ahead than one segment, and gives lent memory back at once", async () => {
  const plain = new MemoryStore();
  let asked = 0;
  class Slow extends Layer {
    override async get(at: ObjectKey, o?: GetOptions): Promise<StoredObject> {
      const { key, size, etag, modifiedAt, range, body } = await super.get(at, o);
      const counted = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) {
          asked += chunk.length;
          yield chunk;
        }
      };
      return { key, size, etag, modifiedAt, range, body: counted() };
    }
  }
  const store = new EncryptLayer(new Slow(plain), keyring);
  await putBytes(store, key, bytesOf(1, 20 * SEGMENT));
  let got = 0;
  let last: Uint8Array | undefined;
  for await (const piece of (await store.get(key, { borrow: true })).body) {
    assert.equal(last?.buffer.byteLength ?? 0, 0, "the memory of the piece before is free");
    last = piece;
    got += piece.length;
    assert.ok(asked - got < 3 * SEALED, `${asked} bytes were read for ${got}`);
  }
  assert.equal(last?.buffer.byteLength, 0);
  assert.equal(got, 20 * SEGMENT);
});
