import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import { Author, broken, kept, manifestOf } from "../test/author.ts";
import { GitStore } from "./git-store.ts";
import { indexKey, packKey } from "./keys.ts";
import { collectGarbage, compact, GRACE } from "./maintenance.ts";

const DAY = 24 * 3_600_000;
const later = new Date(Date.now() + GRACE + 3 * DAY);

test("a pack that was there for long and has just been replaced stays for those who read it", async (t) => {
  const author = await Author.create(t);
  const repository = kept(new MemoryStore());
  await author.push(repository, { "refs/heads/a": author.commit() });
  const before = await author.push(repository, { "refs/heads/b": author.commit() });
  t.mock.timers.enable({ apis: ["Date"], now: later });
  await compact(repository, (await repository.git.read()) ?? assert.fail());
  assert.equal((await manifestOf(repository)).packs.length, 1);
  await collectGarbage(repository);
  for (const { name } of before.packs) assert.ok((await repository.store.stat(packKey(name))) !== undefined);
});

/** Runs something once, before the first deletion. */
function before(store: ObjectStore, what: () => Promise<unknown>): ObjectStore {
  let done = false;
  return new (class extends FaultyLayer {
    override async delete(key: ObjectKey): Promise<void> {
      if (!done) {
        done = true;
        await what();
      }
      await super.delete(key);
    }
  })(store, () => undefined);
}

async function crashed(author: Author, store: ObjectStore, ref: string, to: { readonly oid: string }): Promise<void> {
  const dying = author.push(kept(store), { [ref]: to }, () => Promise.reject(new Error("crashed")));
  await assert.rejects(dying, /crashed/);
}

test("of two who maintain at once, the slower one takes nothing that was brought anew meanwhile", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  await author.push(kept(store), { "refs/heads/main": author.commit() });
  const own = [author.commit(), author.commit(), author.commit()];
  for (const [index, to] of own.entries()) await crashed(author, store, `refs/heads/${index}`, to);
  const slow = before(store, async () => {
    await collectGarbage(kept(store), { now: later });
    // Whichever of them comes first to the slow one, two come after.
    for (const [index, to] of own.entries()) await author.push(kept(store), { [`refs/heads/${index}`]: to });
  });
  const first: ObjectKey[] = [];
  const noting = new FaultyLayer(slow, () => undefined);
  noting.delete = async (key) => {
    first.push(key);
    await slow.delete(key);
  };
  await collectGarbage({ store: noting, git: new GitStore(noting) }, { now: later });
  assert.equal(first.length, 2, "only what it was already about to remove");
});

test("what somebody else is removing is not forgotten", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  await author.push(kept(store), { "refs/heads/main": author.commit() });
  await crashed(author, store, "refs/heads/one", author.commit());
  const slow = before(store, async () => {
    await crashed(author, store, "refs/heads/two", author.commit());
    const dying = before(store, () => Promise.reject(new Error("dead")));
    await assert.rejects(collectGarbage({ store: dying, git: new GitStore(store) }, { now: later }), /dead/);
    assert.equal((await manifestOf(kept(store))).deleting.length, 2);
  });
  assert.equal((await collectGarbage({ store: slow, git: new GitStore(slow) }, { now: later })).length, 1);
  assert.equal((await manifestOf(kept(store))).deleting.length, 1);
  assert.deepEqual(await broken(kept(store)), []);
});

test("a pack of which one file has just come is not old", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  await author.push(kept(store), { "refs/heads/main": author.commit() });
  const name = `pack-${"a".repeat(40)}`;
  const put = async (key: ObjectKey): Promise<unknown> => await store.put(key, (async function* () {})(), { size: 0 });
  for (const [old, fresh] of [
    [packKey, indexKey],
    [indexKey, packKey],
  ] as const) {
    await put(old(name));
    t.mock.timers.enable({ apis: ["Date"], now: later });
    await put(fresh(name));
    assert.deepEqual(await collectGarbage(kept(store)), []);
    t.mock.timers.reset();
  }
});
