import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { GitStore, type Manifest, type RefRule } from "@holdall/git-store";
import { FaultyLayer, MemoryStore, type ObjectStore } from "@holdall/object-store";
import { Person } from "../test/person.ts";
import { Installed } from "./installed.ts";

async function manifest(store: ObjectStore): Promise<Manifest> {
  return ((await new GitStore(store).read()) ?? assert.fail()).manifest;
}

/** Runs something once, before the first change of the manifest. */
function before(store: ObjectStore, what: () => Promise<unknown>): ObjectStore {
  let done = false;
  const layer = new FaultyLayer(store, () => undefined);
  layer.put = async (key, body, o) => {
    if (key === "holdall/manifest.json" && !done) {
      done = true;
      await what();
    }
    return await store.put(key, body, o);
  };
  return layer;
}

test("of two who begin a repository at once with objects named otherwise, one does", async (t) => {
  const store = new MemoryStore();
  const [one, other] = [await Person.create(t), await Person.create(t, "sha256")];
  const late = before(store, async () => await other.push(store, { theirs: other.commit() }));
  const [said] = await one.push(late, { own: one.commit() });
  assert.equal(said?.refused, "the remote names its objects by sha256");
  const { objectFormat, refs, packs } = await manifest(store);
  assert.deepEqual([objectFormat, [...refs.keys()], packs.length], ["sha256", ["refs/heads/theirs"], 1]);
});

test("of two who begin a repository at once, the head is that of the first, and the branches of both are there", async (t) => {
  const store = new MemoryStore();
  const [one, other] = [await Person.create(t), await Person.create(t)];
  const late = before(store, async () => await other.push(store, { theirs: other.commit() }));
  await one.push(late, { main: one.commit() });
  const { head, refs } = await manifest(store);
  assert.deepEqual([head, [...refs.keys()]], ["refs/heads/theirs", ["refs/heads/main", "refs/heads/theirs"]]);
});

async function change(store: ObjectStore, make: (now: Manifest) => Partial<Manifest>): Promise<void> {
  const git = new GitStore(store);
  await git.commit(
    { log: { what: "compact" }, make: (now) => now && { next: { ...now, ...make(now) }, updates: [] } },
    await git.read(),
  );
}

/** @returns the name of the pack that this push makes */
async function packOf(person: Person, commit: string): Promise<string> {
  const store = new MemoryStore();
  await person.push(store, { own: commit });
  return (await manifest(store)).packs[0]?.name ?? assert.fail();
}

test("a pack that is just being removed is not named, and one that was retired is not any more", async (t) => {
  const store = new MemoryStore();
  const [person, somebody] = [await Person.create(t), await Person.create(t)];
  await somebody.push(store, { main: somebody.commit() });
  const own = person.commit();
  const name = await packOf(person, own);
  await change(store, () => ({ deleting: [name] }));
  const [said] = await person.push(store, { own });
  assert.match(said?.refused ?? "", /being removed by maintenance: push again/);
  assert.equal((await manifest(store)).refs.has("refs/heads/own"), false);
  await change(store, () => ({ deleting: [], retired: [{ name, at: new Date() }] }));
  assert.equal((await person.push(store, { own }))[0]?.refused, undefined);
  const { packs, retired } = await manifest(store);
  assert.deepEqual([packs.filter((pack) => pack.name === name).length, retired], [1, []]);
});

test("a pack that somebody else has just brought is named once", async (t) => {
  const store = new MemoryStore();
  const person = await Person.create(t);
  const own = person.commit();
  const late = before(store, async () => await person.push(store, { theirs: own }));
  assert.equal((await person.push(late, { own }))[0]?.refused, undefined);
  const { packs, refs } = await manifest(store);
  assert.deepEqual([packs.length, refs.size], [1, 2]);
});

test("what is pushed dry, and what is there as it is, changes nothing; in one push with others it is not in the log", async (t) => {
  const store = new MemoryStore();
  const person = await Person.create(t);
  const own = person.commit();
  await person.push(store, { main: own }, { dryRun: true });
  assert.equal(await new GitStore(store).read(), undefined);
  await person.push(store, { main: own });
  await person.push(store, { main: own });
  assert.equal((await manifest(store)).generation, 1);
  await person.push(store, { main: own, other: own });
  const entry = (await manifest(store)).log.at(-1);
  assert.deepEqual(entry?.updates, [{ ref: "refs/heads/other", to: own }]);
});

test("who was overtaken on the same branch is told so, and nothing of the other is lost", async (t) => {
  const store = new MemoryStore();
  const person = await Person.create(t);
  const base = person.commit();
  await person.push(store, { main: base });
  const [mine, theirs] = [person.commit(base), person.commit(base)];
  const late = before(store, async () => await person.push(store, { main: theirs }));
  assert.equal((await person.push(late, { main: mine }))[0]?.refused, "fetch first");
  assert.equal((await manifest(store)).refs.get("refs/heads/main")?.oid, theirs);
});

test("a push brings what is new, changes nothing else, and leaves nothing in the clone", async (t) => {
  const store = new MemoryStore();
  const person = await Person.create(t);
  const base = person.commit();
  await person.push(store, { main: base });
  const deleting = [await packOf(person, person.commit())];
  const retired = [{ name: await packOf(person, person.commit()), at: new Date(0) }];
  const rules: RefRule[] = [{ refs: "refs/heads/main", deny: ["delete"] }];
  await change(store, () => ({ deleting, retired, rules }));
  await person.push(store, { main: person.commit(base) });
  const now = await manifest(store);
  assert.deepEqual([now.deleting, now.retired, now.rules], [deleting, retired, rules]);
  assert.deepEqual(
    now.packs.map(({ objects }) => objects),
    [2, 1],
    "a commit with its tree, and another commit",
  );
  assert.deepEqual(
    (await readdir(join(person.folder, "objects"))).filter((name) => name.startsWith("tmp")),
    [],
  );
});

test("a pack that was pushed from here is noted, and so not fetched", async (t) => {
  const store = new MemoryStore();
  const person = await Person.create(t);
  await person.push(store, { main: person.commit() });
  const names = (await manifest(store)).packs.map(({ name }) => name);
  assert.deepEqual([...(await new Installed(person.local, "memory").among(names)).noted], names);
});
