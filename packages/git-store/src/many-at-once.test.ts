import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore } from "@holdall/object-store";
import { Author } from "../test/author.ts";
import { GitStore } from "./git-store.ts";

test("of many who push at once, nobody reads the log over and over to find out who has won", async (t) => {
  const author = await Author.create(t);
  const commit = author.commit();
  let reads = 0;
  const store = new FaultyLayer(new MemoryStore(), (call, key) => {
    if (call === "get" && key.startsWith("holdall/log/")) reads += 1;
    return undefined;
  });
  const repository = { store, git: new GitStore(store, { attempts: 200, pause: () => 0 }) };
  // So many that the manifest has no room for the account of even one.
  const many = (n: number) =>
    Object.fromEntries(Array.from({ length: 400 }, (_, m) => [`refs/heads/${n}/${m}`, commit]));
  await Promise.all(Array.from({ length: 16 }, (_, n) => author.push(repository, many(n))));
  assert.ok(reads > 0);
  assert.ok(reads < 16 * 16, `${reads} objects of the log were read`);
});
