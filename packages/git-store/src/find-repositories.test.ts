import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, parseKey, type ObjectStore } from "@holdall/object-store";
import { findRepositories } from "./find-repositories.ts";

async function withKeys(...keys: readonly string[]): Promise<ObjectStore> {
  const store = new MemoryStore();
  for (const key of keys) await store.put(parseKey(key), (async function* () {})(), { size: 0 });
  return store;
}

const found = async (store: ObjectStore): Promise<readonly string[]> =>
  (await Array.fromAsync(findRepositories(store))).map(({ path, layout }) => `${layout} ${path}`);

const repository = (path: string): readonly string[] =>
  ["HEAD", "config", "holdall/log/000000000001-x.json", "holdall/manifest.json", "info/refs", "objects/info/packs"].map(
    (key) => `${path}/${key}`,
  );

const BUNDLE = `refs/heads/main/${"a".repeat(40)}.bundle`;

test("repositories of both layouts are found below a prefix, at whatever depth", async () => {
  const store = await withKeys(
    ...repository("app"),
    ...repository("team/app"),
    ...repository("holdall/tool"),
    ...repository("holdall"),
    `old/${BUNDLE}`,
    "old/HEAD",
    `old/refs/heads/refs/x/${"b".repeat(64)}.bundle`,
    `team/old/${BUNDLE}`,
  );
  assert.deepEqual(await found(store), [
    "packs app",
    "packs holdall",
    "bundles old",
    "packs team/app",
    "bundles team/old",
  ]);
});

test("what only looks like a part of a repository is none, and one that was imported in its place is one", async () => {
  assert.deepEqual(await found(await withKeys()), []);
  assert.deepEqual(
    await found(
      await withKeys("HEAD", "app/config", "a/holdall/log/000000000001-x.json", "b/refs/heads/main/x.bundle"),
    ),
    [],
  );
  assert.deepEqual(await found(await withKeys(...repository("app"), `app/${BUNDLE}`)), ["packs app"]);
});

test("the root may be a repository", async () => {
  assert.deepEqual(await found(await withKeys("HEAD", "holdall/manifest.json", "objects/x")), ["packs "]);
  assert.deepEqual(await found(await withKeys("HEAD", BUNDLE)), ["bundles "]);
});

test("one with many objects is jumped over, and what comes right after it is found", async () => {
  const objects = Array.from({ length: 3000 }, (_, index) => `app/lfs/${String(index).padStart(5, "0")}`);
  const inner = await withKeys(...repository("app"), ...objects, ...repository("app0"), ...repository("app-2"));
  let keys = 0;
  const store = new FaultyLayer(inner, () => undefined);
  const list = store.list.bind(store);
  store.list = async function* (prefix, o) {
    for await (const stat of list(prefix, o)) {
      keys += 1;
      yield stat;
    }
  };
  assert.deepEqual(await found(store), ["packs app-2", "packs app", "packs app0"]);
  assert.ok(keys < 600, `${keys} keys were read`);
});
