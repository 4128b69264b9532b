import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore, StorageError } from "@holdall/object-store";
import fc from "fast-check";
import { putText } from "../test/bench.ts";
import { bundleKey, markKey, pieceAt, whyUnfit } from "./layout.ts";
import { hasBundles, headOf, readAround, readBundles, readHead } from "./listing.ts";

const [A, B] = ["a".repeat(40), "b".repeat(40)];

test("what git-remote-s3 puts below a ref is known for what it is, and nothing else", () => {
  for (const [key, piece] of [
    [`refs/heads/a/b/${A}.bundle`, { kind: "bundle", ref: "refs/heads/a/b", oid: A, format: "sha1" }],
    [`refs/stash/${A}.bundle`, { kind: "bundle", ref: "refs/stash", oid: A, format: "sha1" }],
    [
      `refs/heads/a/${"c".repeat(64)}.bundle`,
      { kind: "bundle", ref: "refs/heads/a", oid: "c".repeat(64), format: "sha256" },
    ],
    ["refs/heads/a/LOCK#.lock", { kind: "lock", ref: "refs/heads/a" }],
    ["refs/heads/a/PROTECTED#", { kind: "protection", ref: "refs/heads/a" }],
    ["refs/heads/a/repo.zip", { kind: "archive", ref: "refs/heads/a" }],
    [`refs/heads/a/${A.slice(1)}.bundle`, undefined],
    [`refs/heads/a/${A.toUpperCase()}.bundle`, undefined],
    [`refs/heads/a..b/${A}.bundle`, undefined],
    [`refs/${A}.bundle`, undefined],
    [`elsewhere/refs/heads/a/${A}.bundle`, undefined],
    [`refs/heads/a/${A}.bundle.tmp`, undefined],
    [`lfs/${A}`, undefined],
  ] as const) {
    assert.deepEqual(pieceAt(key), piece, key);
  }
});

test("names of refs that git-remote-s3 takes for something else are told from others", () => {
  for (const ref of ["refs/heads/a.zip", "refs/heads/x/PROTECTED#x", "refs/heads/LOCKS/a", "refs/heads/a/LOCKS"]) {
    assert.notEqual(whyUnfit(ref), undefined, ref);
  }
  for (const ref of ["refs/heads/zip", "refs/heads/LOCKSMITH", "refs/tags/v1.bundle"])
    assert.equal(whyUnfit(ref), undefined, ref);
});

const part = fc.stringMatching(/^[a-z0-9]{1,3}$/);
const ref = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `refs/heads/${parts.join("/")}`);
const oid = fc.stringMatching(/^[0-9a-f]{40}$/);

test("of any bundles in any order, the last that came is the value of its ref, and each ref is as by itself", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(ref, oid), { maxLength: 12 }), async (puts) => {
      const store = new MemoryStore();
      const model = new Map<string, string[]>();
      let clock = 1_000_000;
      const dated = new Map<string, Date>();
      for (const [name, value] of puts) {
        await putText(store, bundleKey(name, value), "x");
        dated.set(bundleKey(name, value), new Date((clock += 1000)));
        model.set(name, [value, ...(model.get(name) ?? []).filter((one) => one !== value)]);
      }
      const list = store.list.bind(store);
      store.list = async function* (prefix, o) {
        for await (const stat of list(prefix, o)) yield { ...stat, modifiedAt: dated.get(stat.key) ?? stat.modifiedAt };
      };
      const listing = await readBundles(store);
      const found = [...listing.refs].map(([name, entry]) => [
        name,
        [entry, ...(listing.older.get(name) ?? [])].map(({ oid }) => oid),
      ]);
      assert.deepEqual(Object.fromEntries(found), Object.fromEntries(model));
      assert.equal(await hasBundles(store), model.size > 0);
      for (const name of model.keys()) {
        const around = await readAround(store, name);
        assert.deepEqual(around.refs.get(name), listing.refs.get(name));
        assert.deepEqual(around.older.get(name), listing.older.get(name));
        for (const other of model.keys()) {
          if (other.startsWith(`${name}/`) || name.startsWith(`${other}/`))
            assert.ok(around.refs.has(other), `${other} is seen from ${name}`);
        }
      }
    }),
    { seed: 7 },
  );
});

test("bundles that came within one second are in the order of git-remote-s3", async () => {
  const store = new MemoryStore();
  const list = store.list.bind(store);
  store.list = async function* (prefix, o) {
    for await (const stat of list(prefix, o)) yield { ...stat, modifiedAt: new Date(5000) };
  };
  await putText(store, bundleKey("refs/heads/main", B), "x");
  await putText(store, bundleKey("refs/heads/main", A), "x");
  assert.equal((await readBundles(store)).refs.get("refs/heads/main")?.oid, B);
});

test("HEAD is what is there, in either way of writing it, or what one would guess", async () => {
  const store = new MemoryStore();
  assert.equal(await readHead(store), undefined);
  for (const [text, head] of [
    ["refs/heads/main", "refs/heads/main"],
    ["refs/heads/main\n", "refs/heads/main"],
    ["ref: refs/heads/main\n", "refs/heads/main"],
    ["", undefined],
    ["main", undefined],
    [`refs/heads/${"a".repeat(5000)}`, undefined],
  ] as const) {
    await putText(store, "HEAD", text);
    assert.equal(await readHead(store), head, text.slice(0, 40));
  }
  store.get = async () => {
    throw new StorageError("denied", "you may not read");
  };
  await assert.rejects(readHead(store), { code: "denied" });
  const refs = (...names: string[]): Parameters<typeof headOf>[0]["refs"] =>
    new Map(
      names.map((name) => [
        name,
        { ref: name, oid: A, key: bundleKey(name, A), size: 1, etag: "1", modifiedAt: new Date(0) },
      ]),
    );
  assert.equal(headOf({ head: "refs/heads/x", refs: refs("refs/heads/x", "refs/heads/main") }), "refs/heads/x");
  assert.equal(
    headOf({ head: "refs/heads/gone", refs: refs("refs/heads/a", "refs/heads/master") }),
    "refs/heads/master",
  );
  assert.equal(headOf({ head: undefined, refs: refs("refs/heads/a", "refs/tags/v1") }), "refs/heads/a");
  assert.equal(headOf({ head: undefined, refs: refs("refs/heads/a", "refs/heads/b") }), undefined);
});

test("bundles of the other object format are set aside and said to be", async () => {
  const store = new MemoryStore();
  const long = bundleKey("refs/heads/b", "c".repeat(64));
  await putText(store, long, "x");
  assert.equal((await readBundles(store)).objectFormat, "sha256");
  await putText(store, bundleKey("refs/heads/a", A), "x");
  await putText(store, markKey("refs/heads/a", "lock"));
  const listing = await readBundles(store);
  assert.deepEqual([...listing.refs.keys()], ["refs/heads/a"]);
  assert.deepEqual(listing.strange, [long]);
  assert.deepEqual(
    listing.locks.map(({ ref }) => ref),
    ["refs/heads/a"],
  );
});
