import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { FaultyLayer, MemoryStore, parseKey, type ObjectStore } from "@holdall/object-store";
import { Person } from "../test/person.ts";
import { BundlesRepository } from "./bundles-repository.ts";
import { type Layout, openRepository, type Opened } from "./open-repository.ts";
import { PacksRepository } from "./packs-repository.ts";

const BUNDLED = "1".repeat(40);

async function stored(t: TestContext, ...kept: readonly Layout[]): Promise<{ ada: Person; store: ObjectStore }> {
  const [store, ada] = [new MemoryStore(), await Person.create(t)];
  if (kept.includes("packs")) await ada.push(store, { packed: ada.commit() });
  const nothing = async function* (): AsyncGenerator<Uint8Array> {};
  if (kept.includes("bundles"))
    await store.put(parseKey(`refs/heads/bundled/${BUNDLED}.bundle`), nothing(), { size: 0 });
  return { store, ada };
}

async function open({ ada, store }: { ada: Person; store: ObjectStore }, layout: Layout | undefined): Promise<Opened> {
  const parts = { store, git: ada.local, url: "memory", singleWriter: false, dropsNothing: false, draw: undefined };
  return await openRepository({ ...parts, layout, zip: false, lockTtl: undefined, say: assert.fail });
}

const CASES: readonly (readonly [there: readonly Layout[], asked: Layout | undefined, found: Layout, ref?: string])[] =
  [
    [[], undefined, "packs"],
    [["packs"], undefined, "packs", "refs/heads/packed"],
    [["bundles"], undefined, "bundles", "refs/heads/bundled"],
    [["packs", "bundles"], undefined, "packs", "refs/heads/packed"],
    [[], "packs", "packs"],
    [["packs", "bundles"], "packs", "packs", "refs/heads/packed"],
    [["bundles"], "packs", "packs"],
    [[], "bundles", "bundles"],
    [["bundles"], "bundles", "bundles", "refs/heads/bundled"],
  ];

test("a repository is what is there, or what the user says", async (t) => {
  for (const [there, asked, found, ref] of CASES) {
    const { repository, listing } = await open(await stored(t, ...there), asked);
    const what = `${there.join(" and ")}, asked for ${asked}`;
    assert.ok(repository instanceof (found === "packs" ? PacksRepository : BundlesRepository), what);
    assert.deepEqual([...(listing?.refs.keys() ?? [])], ref === undefined ? [] : [ref], what);
  }
});

test("what was imported is not read by its bundles, which are of another time", async (t) => {
  for (const there of [["packs"], ["packs", "bundles"]] as const) {
    await assert.rejects(open(await stored(t, ...there), "bundles"), { code: "refused", message: /was imported/ });
  }
});

test("a repository of packs is found with one request, and whoever says that it is one needs no more", async (t) => {
  for (const [there, asked] of [
    [["packs"], undefined],
    [[], "packs"],
  ] as const) {
    const { ada, store } = await stored(t, ...there);
    const calls: string[] = [];
    await open({ ada, store: new FaultyLayer(store, (call, key) => void calls.push(`${call} ${key}`)) }, asked);
    assert.deepEqual(calls, ["get holdall/manifest.json"]);
  }
});
