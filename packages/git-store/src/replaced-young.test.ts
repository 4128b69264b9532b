import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore, type ObjectStore } from "@holdall/object-store";
import { Author, kept, manifestOf } from "../test/author.ts";
import { packKey } from "./keys.ts";
import { collectGarbage, compact, GRACE } from "./maintenance.ts";
import type { Manifest } from "./manifest.ts";

const DAY = 24 * 3_600_000;
const start = Date.now();

async function areThere(store: ObjectStore, { packs }: Manifest): Promise<void> {
  for (const { name } of packs) assert.ok((await store.stat(packKey(name))) !== undefined, name);
}

test("what was replaced stays for the grace period, though the clock of who pushed is weeks ahead", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  const repository = kept(store);
  for (const ref of ["a", "b"]) await author.push(repository, { [`refs/heads/${ref}`]: author.commit() });
  const ahead = (now: Manifest): Manifest["packs"] =>
    now.packs.map((pack) => ({ ...pack, at: new Date(start + 20 * DAY) }));
  await repository.git.commit(
    { log: { what: "compact" }, make: (now) => now && { next: { ...now, packs: ahead(now) }, updates: [] } },
    await repository.git.read(),
  );
  const before = await manifestOf(repository);
  t.mock.timers.enable({ apis: ["Date"], now: start + GRACE + 2 * DAY });
  await compact(repository, (await repository.git.read()) ?? assert.fail());
  assert.equal((await manifestOf(repository)).packs.length, 1);
  await collectGarbage(repository);
  await areThere(store, before);
});

test("a pack that was left there days ago, named today and replaced today stays for the grace period", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  const repository = kept(store);
  await author.push(repository, { "refs/heads/a": author.commit() });
  const own = author.commit();
  await assert.rejects(author.push(repository, { "refs/heads/b": own }, () => Promise.reject(new Error("crashed"))));
  t.mock.timers.enable({ apis: ["Date"], now: start + 6 * DAY });
  const before = await author.push(repository, { "refs/heads/b": own });
  await compact(repository, (await repository.git.read()) ?? assert.fail());
  assert.equal((await manifestOf(repository)).packs.length, 1);
  t.mock.timers.setTime(start + 6 * DAY + GRACE - DAY);
  await collectGarbage(repository);
  await areThere(store, { ...before, packs: before.packs.slice(1) });
});
