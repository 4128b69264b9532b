import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { temporaryFolder } from "../../../test/folder.ts";
import { assertBytes, bytesOf, collect, getBytes, putBytes, sha256Of, withCode } from "../../contract/contract-test.ts";
import { StorageError } from "../../errors.ts";
import { FsStore } from "../../fs/store.ts";
import { parseKey, type ObjectKey } from "../../key.ts";
import { MemoryStore } from "../../memory/store.ts";
import type { Capabilities, GetOptions, ObjectStore, ObjectVersion, PutOptions, StoredObject } from "../../port.ts";
import { Layer } from "../layer.ts";
import { EncryptLayer } from "./encrypt-layer.ts";
import { Counted } from "./fixtures/counted.ts";
import { keyringOf } from "./fixtures/keys.ts";
import { SEGMENT } from "./format.ts";
import { HEADER } from "./header.ts";
import { reencrypt, type Reencrypted, type ReencryptOptions } from "./reencrypt.ts";

const SIZES = [0, 1, 1000, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 7];
const objects = new Map(SIZES.map((size, i) => [parseKey(`objects/${i}`), bytesOf(i, size)]));

const old = keyringOf("old");
const both = keyringOf("new", "old");
const onlyNew = keyringOf("new");

async function fill(store: ObjectStore): Promise<void> {
  for (const [key, bytes] of objects) await putBytes(store, key, bytes);
}

async function assertAll(store: ObjectStore): Promise<void> {
  for (const [key, bytes] of objects) assertBytes(await getBytes(store, key), bytes);
}

function run(store: ObjectStore, o: Partial<ReencryptOptions> = {}): Promise<Reencrypted[]> {
  const options = { keyring: both, includePlain: false, dryRun: false, sha256Of: () => undefined, ...o };
  return collect(reencrypt(store, options));
}

function keysWith(done: readonly Reencrypted[], outcome: Reencrypted["outcome"]): string[] {
  return done.filter((one) => one.outcome === outcome).map(({ key }) => key);
}

/** A store in which something happens before calls reach it. */
class Before extends Layer {
  onGet: (key: ObjectKey, o: GetOptions | undefined) => Promise<unknown> = async () => undefined;
  onPut: (key: ObjectKey) => Promise<unknown> = async () => undefined;

  override async get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    await this.onGet(key, o);
    return super.get(key, o);
  }

  override async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    await this.onPut(key);
    return super.put(key, body, o);
  }
}

class WithoutConditions extends MemoryStore {
  override readonly capabilities: Capabilities = {
    ...new MemoryStore().capabilities,
    putIfAbsent: false,
    compareAndSwap: false,
    deleteIfMatch: false,
  };

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    assert.equal(o.ifMatch, undefined);
    return super.put(key, body, o);
  }
}

const stores: Readonly<Record<string, (t: TestContext) => Promise<ObjectStore>>> = {
  memory: async () => new MemoryStore(),
  fs: async (t) => new FsStore(await temporaryFolder(t)),
  "a store without conditions": async () => new WithoutConditions(),
};

for (const [name, create] of Object.entries(stores)) {
  test(`${name}: all objects come under the current key, with the bytes that they had, and then nothing is left to do`, async (t) => {
    const store = await create(t);
    await fill(new EncryptLayer(store, old));
    assert.deepEqual(keysWith(await run(store, { dryRun: true }), "rewritten"), [...objects.keys()]);
    await assertAll(new EncryptLayer(store, old));
    assert.deepEqual(keysWith(await run(store), "rewritten"), [...objects.keys()]);
    await assertAll(new EncryptLayer(store, onlyNew));
    assert.deepEqual(keysWith(await run(store), "current"), [...objects.keys()]);
    await store.close();
  });

  test(`${name}: what is not encrypted is left alone unless it is to be taken in`, async (t) => {
    const store = await create(t);
    await fill(store);
    const refused = await run(store);
    assert.deepEqual(keysWith(refused, "failed"), [...objects.keys()]);
    assert.match(
      refused[0]?.outcome === "failed" ? refused[0].reason : "",
      /^objects\/0 is not encrypted.*--include-plain/,
    );
    await assertAll(store);
    assert.deepEqual(keysWith(await run(store, { includePlain: true }), "rewritten"), [...objects.keys()]);
    await assertAll(new EncryptLayer(store, onlyNew));
    assert.deepEqual(keysWith(await run(store, { includePlain: true }), "current"), [...objects.keys()]);
    await store.close();
  });
}

test("what is under the current key costs one small request", async () => {
  const inner = new MemoryStore();
  await fill(new EncryptLayer(inner, onlyNew));
  const counted = new Counted(inner);
  await run(counted);
  assert.deepEqual(counted.calls, Array(objects.size).fill(`get 0-${HEADER - 1}`));
});

test("what was not encrypted must have the digest that its name tells", async () => {
  const store = new MemoryStore();
  const bytes = bytesOf(1, 1000);
  const right = parseKey(`objects/${sha256Of(bytes)}`);
  const wrong = parseKey(`objects/${sha256Of(bytesOf(2, 1000))}`);
  await putBytes(store, right, bytes);
  await putBytes(store, wrong, bytes);
  const done = await run(store, { includePlain: true, sha256Of: (key) => key.split("/")[1] });
  assert.deepEqual(keysWith(done, "rewritten"), [right]);
  assert.deepEqual(keysWith(done, "failed"), [wrong]);
  assertBytes(await getBytes(store, wrong), bytes);
});

test("objects that cannot be read are named, stay as they are, and do not keep the others from it", async () => {
  const store = new MemoryStore();
  await fill(new EncryptLayer(store, old));
  const [damaged, foreign] = [parseKey("objects/damaged"), parseKey("objects/foreign")];
  await putBytes(new EncryptLayer(store, old), damaged, bytesOf(1, 3 * SEGMENT));
  const bytes = await getBytes(store, damaged);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await putBytes(store, damaged, bytes);
  await putBytes(new EncryptLayer(store, keyringOf("foreign")), foreign, bytesOf(1, 10));
  const kept = await getBytes(store, foreign);
  const done = await run(store);
  assert.deepEqual(keysWith(done, "rewritten"), [...objects.keys()]);
  const reasons = done.flatMap((one) => (one.outcome === "failed" ? [one.reason] : []));
  assert.equal(reasons.length, 2);
  assert.match(reasons[0] ?? "", /^objects\/damaged cannot be decrypted/);
  assert.match(reasons[1] ?? "", /^objects\/foreign is encrypted with the key foreign, .* add it to encryption\.keys$/);
  assertBytes(await getBytes(store, damaged), bytes);
  assertBytes(await getBytes(store, foreign), kept);
  // Looking alone does not find damage.
  assert.deepEqual(keysWith(await run(store, { dryRun: true }), "failed"), [foreign]);
});

test("interrupted wherever it may be, it loses nothing, and the next one does the rest", async () => {
  for (let puts = 0; puts < objects.size; puts++) {
    const inner = new MemoryStore();
    await fill(new EncryptLayer(inner, old));
    const store = new Before(inner);
    let left = puts;
    store.onPut = async () => {
      if (left-- <= 0) throw new StorageError("unavailable", "gone");
    };
    await assert.rejects(run(store), withCode("unavailable"));
    await assertAll(new EncryptLayer(inner, both));
    const done = await run(inner);
    assert.equal(keysWith(done, "current").length, puts);
    assert.equal(keysWith(done, "rewritten").length, objects.size - puts);
    await assertAll(new EncryptLayer(inner, onlyNew));
  }
});

test("two at once do not get into each other's way", async (t) => {
  for (const create of Object.values(stores)) {
    for (const plain of [false, true]) {
      const store = await create(t);
      await fill(plain ? store : new EncryptLayer(store, old));
      const runs = await Promise.all([0, 1, 2].map(() => run(store, { includePlain: plain })));
      for (const done of runs) {
        assert.deepEqual(keysWith(done, "failed"), []);
        assert.equal(done.length, objects.size);
      }
      await assertAll(new EncryptLayer(store, onlyNew));
      await store.close();
    }
  }
});

test("what others do meanwhile stands", async () => {
  const [key] = objects.keys();
  assert.ok(key !== undefined);
  for (const plain of [false, true]) {
    const start = async (): Promise<{ inner: MemoryStore; store: Before }> => {
      const inner = new MemoryStore();
      await putBytes(plain ? inner : new EncryptLayer(inner, old), key, bytesOf(1, 1000));
      return { inner, store: new Before(inner) };
    };
    const once = (action: () => Promise<unknown>): (() => Promise<unknown>) => {
      let done = false;
      return async () => {
        if (!done) {
          done = true;
          await action();
        }
      };
    };

    const replaced = await start();
    replaced.store.onPut = once(() => putBytes(new EncryptLayer(replaced.inner, onlyNew), key, bytesOf(2, 10)));
    assert.deepEqual(keysWith(await run(replaced.store, { includePlain: plain }), "current"), [key]);
    assertBytes(await getBytes(new EncryptLayer(replaced.inner, onlyNew), key), bytesOf(2, 10));

    const removed = await start();
    removed.store.onPut = once(() => removed.inner.delete(key));
    assert.deepEqual(await run(removed.store, { includePlain: plain }), []);
    assert.equal(await removed.inner.stat(key), undefined);
  }
});

test("what others encrypt between the look at it and the reading is not encrypted twice", async () => {
  const [key] = objects.keys();
  assert.ok(key !== undefined);
  for (const inner of [new MemoryStore(), new WithoutConditions()]) {
    await putBytes(inner, key, bytesOf(1, 1000));
    const store = new Before(inner);
    let taken = false;
    store.onGet = async (_, o) => {
      if (taken || o?.range !== undefined) return;
      taken = true;
      await putBytes(new EncryptLayer(inner, onlyNew), key, bytesOf(1, 1000));
    };
    assert.deepEqual(keysWith(await run(store, { includePlain: true }), "current"), [key]);
    assertBytes(await getBytes(new EncryptLayer(inner, onlyNew), key), bytesOf(1, 1000));
  }
});

test("an object that others replace all the time is told", async () => {
  const [key] = objects.keys();
  assert.ok(key !== undefined);
  const inner = new MemoryStore();
  await putBytes(new EncryptLayer(inner, old), key, bytesOf(1, 10));
  const store = new Before(inner);
  store.onPut = () => putBytes(new EncryptLayer(inner, old), key, bytesOf(1, 10));
  assert.deepEqual(await run(store), [
    { key, outcome: "failed", reason: `${key} was replaced each time that it was looked at: run this again` },
  ]);
});
