import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, StorageError } from "@holdall/object-store";
import { Author, kept, manifestOf } from "../test/author.ts";
import { GitStore } from "./git-store.ts";
import type { MANIFEST_KEY } from "./keys.ts";

test("a single writer is not believed where the store can tell", async (t) => {
  const store = new MemoryStore();
  const author = await Author.create(t);
  const single = { store, git: new GitStore(store, { singleWriter: true, pause: () => 0 }) };
  const [base, a, b] = [author.commit(), author.commit(), author.commit()];
  await author.push(single, { "refs/heads/main": base });
  await author.push(single, { "refs/heads/a": a }, async () => void (await author.push(single, { "refs/heads/b": b })));
  assert.deepEqual([...(await manifestOf(single)).refs.keys()].toSorted(), [
    "refs/heads/a",
    "refs/heads/b",
    "refs/heads/main",
  ]);
});

test("a hiccup of the store while the log is written fails no push", async (t) => {
  const store = new MemoryStore();
  let hiccups = 1;
  const faulty = new FaultyLayer(store, (call, key) => {
    if (call !== "put" || !key.startsWith("holdall/log/") || hiccups === 0) return undefined;
    hiccups -= 1;
    return { call, moment: { at: "body", bytes: 1 }, error: new StorageError("unavailable", "503") };
  });
  const author = await Author.create(t);
  const commit = author.commit();
  const many = Array.from({ length: 400 }, (_, n) => [`refs/heads/${n}`, commit] as const);
  await author.push(kept(faulty), Object.fromEntries(many));
  assert.equal(hiccups, 0);
});

test("a hiccup of the store leaves no view behind that is older than the repository", async (t) => {
  const store = new MemoryStore();
  const author = await Author.create(t);
  await author.push(kept(store), { "refs/heads/main": author.commit() });
  let hiccups = 1;
  const faulty = new FaultyLayer(store, (call, key) => {
    if (call !== "put" || key !== "objects/info/packs" || hiccups === 0) return undefined;
    hiccups -= 1;
    return { call, moment: { at: "body", bytes: 1 }, error: new StorageError("unavailable", "503") };
  });
  const { packs } = await author.push(kept(faulty), { "refs/heads/side": author.commit() });
  const { body } = await store.get("objects/info/packs" as typeof MANIFEST_KEY);
  const text = Buffer.concat(await Array.fromAsync(body)).toString();
  for (const { name } of packs) assert.ok(text.includes(name));
});
