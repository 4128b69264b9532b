import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore } from "@holdall/object-store";
import { Author, kept, state } from "../test/author.ts";
import { compact, replaced } from "./maintenance.ts";
import type { PackEntry } from "./manifest.ts";

const name = (digit: string): string => `pack-${digit.repeat(40)}`;
const pack = (digit: string): PackEntry => ({ name: name(digit), size: 1, indexSize: 1, objects: 1, at: new Date(0) });

test("packs take the place of those that are all there, one after another, and of no others", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map(pack);
  if (!a || !b || !c || !d) assert.fail();
  const names = [b.name, c.name];
  assert.deepEqual(replaced(state({ packs: [a, b, c] }), names, d)?.next.packs, [a, d]);
  assert.equal(replaced(state({ packs: [a, b] }), names, d), undefined, "one is gone");
  assert.equal(replaced(state({ packs: [a, c] }), names, d), undefined, "the first is gone");
  assert.equal(replaced(state({ packs: [b, a, c] }), names, d), undefined, "another is between them");
  assert.equal(replaced(state({ packs: [a, b, c], deleting: [d.name] }), names, d), undefined, "it is being removed");
  assert.equal(replaced(state({ packs: [a, b] }), [b.name], b), undefined, "nothing would be different");
  const one = replaced(state({ packs: [a, b] }), [a.name, b.name], b)?.next;
  assert.deepEqual([one?.packs, one?.retired.map((gone) => gone.name)], [[b], [a.name]], "one of them has all");
  const next = replaced(state({ packs: [a, b, c], retired: [{ name: d.name, at: new Date() }] }), names, d)?.next;
  assert.deepEqual(
    next?.retired.map((gone) => gone.name),
    names,
    "what is named is not retired",
  );
});

test("packs that need no merging are not fetched", async (t) => {
  const author = await Author.create(t);
  const repository = kept(new MemoryStore());
  await author.push(repository, { "refs/heads/main": author.commit() });
  const now = (await repository.git.read()) ?? assert.fail();
  const none = new FaultyLayer(repository.store, (call, key) => assert.fail(`${call} ${key}`));
  assert.equal(await compact({ store: none, git: repository.git }, now), undefined);
});
