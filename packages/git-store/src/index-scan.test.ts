import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, type ObjectStore } from "@holdall/object-store";
import fc from "fast-check";
import { Author, kept, manifestOf } from "../test/author.ts";
import { objectsAmong } from "./index-scan.ts";
import { indexKey } from "./keys.ts";

/** Bodies come in pieces of these sizes, over and over. */
function inPieces(inner: ObjectStore, sizes: readonly number[]): ObjectStore {
  const store = new FaultyLayer(inner, () => undefined);
  store.get = async (key, o) => {
    const object = await inner.get(key, o);
    const bytes = Buffer.concat(await Array.fromAsync(object.body));
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0, index = 0; at < bytes.length; index += 1) {
        const size = sizes[index % sizes.length] ?? 1;
        yield bytes.subarray(at, at + size);
        at += size;
      }
    };
    return { ...object, body: body() };
  };
  return store;
}

for (const format of ["sha1", "sha256"] as const) {
  test(`${format}: an index says what is in the pack and what is not, however it comes`, async (t) => {
    const [author, repository] = [await Author.create(t, format), kept(new MemoryStore())];
    let tip = author.commit();
    for (let commit = 0; commit < 5; commit += 1) tip = author.commit(tip.oid);
    const [pack = assert.fail()] = (await author.push(repository, { "refs/heads/main": tip })).packs;
    const inside = author
      .git("rev-list", "--objects", tip.oid)
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "");
    const outside = ["0", "7", "f"].map((digit) => digit.repeat(tip.oid.length));
    assert.equal(inside.length, pack.objects);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
        fc.subarray([...inside, ...outside]),
        async (sizes, wanted) => {
          const found = await objectsAmong(inPieces(repository.store, sizes), pack, wanted, format);
          assert.deepEqual([...found].toSorted(), wanted.filter((oid) => inside.includes(oid)).toSorted());
        },
      ),
      { numRuns: 50, seed: 1 },
    );
  });
}

test("an index that is damaged, or another pack's, is not believed", async (t) => {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  await author.push(repository, { "refs/heads/main": author.commit() });
  await author.push(repository, { "refs/heads/main": author.commit() });
  const [one, two] = (await manifestOf(repository)).packs;
  if (one === undefined || two === undefined) assert.fail();
  const bytes = Buffer.concat(await Array.fromAsync((await repository.store.get(indexKey(two.name))).body));
  const put = async (content: Buffer): Promise<void> => {
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield content;
    };
    await repository.store.put(indexKey(one.name), body(), { size: content.length });
  };
  await put(bytes);
  await assert.rejects(
    objectsAmong(repository.store, one, [], "sha1"),
    /the index of pack-\w+ .* it is that of another/,
  );
  bytes[1100] = (bytes[1100] ?? 0) ^ 1;
  await put(bytes);
  await assert.rejects(objectsAmong(repository.store, one, [], "sha1"), /is damaged/);
});
