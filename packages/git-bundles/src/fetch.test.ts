import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { MemoryStore, parseKey, StorageError, type ObjectStore } from "@holdall/object-store";
import { Bench, watched } from "../test/bench.ts";
import { fetchBundles } from "./fetch.ts";
import { bundleKey } from "./layout.ts";
import { readBundles } from "./listing.ts";

const MAIN = "refs/heads/main";

/** The same store, with what was asked of it by its keys. */
function counted(store: ObjectStore): { readonly store: ObjectStore; readonly gets: string[] } {
  const gets: string[] = [];
  return { gets, store: watched(store, { before: (call, [key]) => void (call === "get" && gets.push(String(key))) }) };
}

test("each bundle is fetched once, and not at all when another had what is in it", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  await from.commit("one");
  const one = await from.publish(inner, "refs/heads/old", "main");
  await from.publish(inner, "refs/tags/same", "main");
  const two = await from.commit("two");
  await from.publish(inner, MAIN);
  from.do("checkout", "--quiet", "-b", "side", one);
  const side = await from.commit("side");
  await from.publish(inner, "refs/heads/side");
  const listing = await readBundles(inner);
  const { store, gets } = counted(inner);
  const kept = await fetchBundles([one, side, two, one], listing, { store, git: to.git, keep: "a test" });
  assert.deepEqual(new Set(gets), new Set([`${MAIN}/${two}.bundle`, `refs/heads/side/${side}.bundle`]));
  assert.equal(gets.length, 2);
  assert.equal(kept.length, 2);
  const packs = await readdir(join(to.folder, ".git", "objects", "pack"));
  assert.equal(packs.filter((name) => name.endsWith(".keep")).length, 2);
  to.do("update-ref", "refs/heads/side", side);
  to.do("fsck", "--strict");
  gets.length = 0;
  to.do("update-ref", MAIN, two);
  assert.deepEqual(await fetchBundles([one, two, side], listing, { store, git: to.git, keep: "a test" }), []);
  assert.deepEqual(gets, []);
});

test("a bundle that was replaced since the listing is found in what took its place", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  const one = await from.commit("one");
  await from.publish(inner, MAIN);
  const listing = await readBundles(inner);
  const two = await from.commit("two");
  await from.publish(inner, MAIN);
  await inner.delete(parseKey(`${MAIN}/${one}.bundle`));
  await fetchBundles([one], listing, { store: inner, git: to.git });
  assert.equal(to.do("cat-file", "-t", one), "commit");
  assert.equal(to.do("cat-file", "-t", two), "commit");
});

test("an object that a ref was forced away from is said to be gone", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  const one = await from.commit("one");
  await from.publish(inner, MAIN);
  const listing = await readBundles(inner);
  await inner.delete(parseKey(`${MAIN}/${one}.bundle`));
  from.do("commit", "--quiet", "--amend", "-m", "other");
  await from.publish(inner, MAIN);
  await assert.rejects(fetchBundles([one], listing, { store: inner, git: to.git }), {
    code: "contended",
    message: new RegExp(`${one} is no longer in the repository`),
  });
});

test("a fetch that fails halfway leaves nothing that would hold off git's own clearing up", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  const one = await from.commit("one");
  await from.publish(inner, MAIN);
  const other = `${"0".repeat(39)}1`;
  await inner.copy(bundleKey(MAIN, one), bundleKey("refs/tags/other", other));
  await assert.rejects(
    fetchBundles([one, other], await readBundles(inner), { store: inner, git: to.git, keep: "a test" }),
    { code: "corrupt", message: /does not have the object 0+1 that it is named after/ },
  );
  const packs = await readdir(join(to.folder, ".git", "objects", "pack"));
  assert.deepEqual(
    packs.filter((name) => name.endsWith(".keep")),
    [],
  );
});

test("an object that no bundle has is said to be gone", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  await from.commit("one");
  await from.publish(inner, MAIN);
  const gone = `${"0".repeat(39)}1`;
  await assert.rejects(fetchBundles([gone], await readBundles(inner), { store: inner, git: to.git }), {
    code: "contended",
    message: new RegExp(`${gone} is no longer in the repository`),
  });
});

test("a bundle that lacks what its objects link to is refused, unless that is there already", async (t) => {
  const [from, empty, full, inner] = [
    await Bench.create(t),
    await Bench.create(t),
    await Bench.create(t),
    new MemoryStore(),
  ];
  const one = await from.commit("one");
  const pack = (...revisions: readonly string[]): Buffer => {
    const input = revisions.map((revision) => `${from.do("rev-parse", revision)}\n`).join("");
    return execFileSync("git", ["-C", from.folder, "pack-objects", "-q", "--stdout"], { input });
  };
  const bundle = Buffer.concat([Buffer.from(`# v2 git bundle\n${one} ${MAIN}\n\n`), pack("main")]);
  await inner.put(bundleKey(MAIN, one), Readable.from([bundle]), { size: bundle.length });
  const listing = await readBundles(inner);
  await assert.rejects(fetchBundles([one], listing, { store: inner, git: empty.git }), { name: "GitError" });
  assert.equal((await empty.git.typesOf([one])).size, 0);
  execFileSync("git", ["-C", full.folder, "unpack-objects", "-q"], { input: pack("main^{tree}", "main:one.txt") });
  await fetchBundles([one], listing, { store: inner, git: full.git });
  assert.ok(await full.git.isComplete([one]));
});

test("an object that lacks something it reaches is fetched anew", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  const one = await from.commit("one");
  await from.publish(inner, MAIN);
  // The commit alone, as a clone in part may have it.
  const commit = execFileSync("git", ["-C", from.folder, "cat-file", "commit", one]);
  execFileSync("git", ["-C", to.folder, "hash-object", "-t", "commit", "-w", "--stdin"], { input: commit });
  await fetchBundles([one], await readBundles(inner), { store: inner, git: to.git });
  to.do("update-ref", MAIN, one);
  to.do("fsck", "--strict");
});

test("what objects say is checked as the user has asked for it, and no more", async (t) => {
  const [from, inner] = [await Bench.create(t), new MemoryStore()];
  await from.commit("one");
  // As some histories of long ago have it.
  const text = `tree ${from.do("rev-parse", "main^{tree}")}\nauthor Ada <ada> 1 +0000\ncommitter Ada 1 +0000\n\nold\n`;
  const args = ["-C", from.folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin"];
  const old = execFileSync("git", args, { input: text, encoding: "utf8" }).trim();
  await from.publish(inner, MAIN, old);
  const listing = await readBundles(inner);
  for (const [name, value, isFine] of [
    ["user.name", "Ada", true],
    ["transfer.fsckObjects", "true", false],
    ["fetch.fsckObjects", "false", true],
  ] as const) {
    const to = await Bench.create(t);
    to.do("config", "transfer.fsckObjects", String(name.startsWith("transfer") || name.startsWith("fetch")));
    to.do("config", name, value);
    const fetching = fetchBundles([old], listing, { store: inner, git: to.git });
    if (isFine) await fetching;
    else await assert.rejects(fetching, { name: "GitError" });
  }
});

test("a body that breaks off is the store's error, and nothing of it is kept", async (t) => {
  const [from, to, inner] = [await Bench.create(t), await Bench.create(t), new MemoryStore()];
  const one = await from.commit("one");
  await from.publish(inner, MAIN);
  const listing = await readBundles(inner);
  const get = inner.get.bind(inner);
  inner.get = async (key, o) => {
    const object = await get(key, o);
    const body = (async function* () {
      for await (const chunk of object.body) {
        yield chunk.subarray(0, chunk.length - 20);
        throw new StorageError("unavailable", "the connection was lost");
      }
    })();
    return { ...object, body };
  };
  await assert.rejects(fetchBundles([one], listing, { store: inner, git: to.git }), {
    message: "the connection was lost",
  });
  assert.equal((await to.git.typesOf([one])).size, 0);
});
