import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, StorageError, type ObjectStore } from "@holdall/object-store";
import { EMPTY, broken, kept, manifestOf } from "../test/author.ts";
import type { Change } from "./change.ts";
import { history, pastStates } from "./history.ts";
import { logKey } from "./keys.ts";
import { pointingHead } from "./admin.ts";
import type { Kept } from "./maintenance.ts";
import type { Manifest, RefValue } from "./manifest.ts";

const oid = (number: number): string => number.toString(16).padStart(40, "0");

function moving(ref: string, value: RefValue | undefined): Change {
  return {
    log: { what: "push", by: "Ada <ada@example.org>" },
    make(now: Manifest = { ...EMPTY, generation: 0, transaction: "", parent: undefined, at: new Date() }) {
      const refs = new Map(now.refs);
      const from = refs.get(ref)?.oid;
      if (value === undefined) refs.delete(ref);
      else refs.set(ref, value);
      const update = { ref, ...(from === undefined ? {} : { from }), ...(value && { to: value.oid }) };
      return { next: { ...now, refs }, updates: [update] };
    },
  };
}

async function change({ git }: Kept, change: Change): Promise<void> {
  await git.commit(change, await git.read());
}

/** A repository whose `refs/heads/main` was moved so many times. */
async function moved(store: ObjectStore, times: number): Promise<Kept> {
  const repository = kept(store);
  for (let time = 1; time <= times; time += 1) await change(repository, moving("refs/heads/main", { oid: oid(time) }));
  return repository;
}

test("the log is read from its end, of its objects those that are wanted, and has all in order", async () => {
  const calls: string[] = [];
  const store = new FaultyLayer(new MemoryStore(), (call, key) => {
    calls.push(`${call} ${key.replace(/-[0-9a-f-]{36}/, "")}`);
    return undefined;
  });
  const repository = await moved(store, 120);
  const manifest = await manifestOf(repository);
  assert.equal(manifest.log.length, 120 - 99);
  const take = async (count: number): Promise<number[]> => {
    calls.length = 0;
    const taken: number[] = [];
    for await (const { generation } of history(store, manifest)) {
      taken.push(generation);
      if (taken.length === count) break;
    }
    return taken;
  };
  assert.deepEqual(await take(5), [120, 119, 118, 117, 116]);
  assert.deepEqual(calls, []);
  assert.equal((await take(22)).at(-1), 99);
  assert.deepEqual(calls, ["get holdall/log/000000000099.json"]);
  assert.deepEqual(
    await take(200),
    Array.from({ length: 120 }, (_, index) => 120 - index),
  );
  assert.deepEqual(
    calls,
    ["099", "066", "033"].map((end) => `get holdall/log/000000000${end}.json`),
  );
});

/** Moves so many branches at once that the manifest has no room for the account of it. */
function movingMany(to: string): Change {
  return {
    log: { what: "push" },
    make: (now) => {
      if (now === undefined) assert.fail();
      const names = Array.from({ length: 400 }, (_, index) => `refs/heads/many-${index}`);
      const refs = new Map([...now.refs, ...names.map((name) => [name, { oid: to }] as const)]);
      const updates = names.map((ref) => ({ ref, to }));
      return { next: { ...now, refs }, updates };
    },
  };
}

test("large changes have an object of the log, and those of them that were never committed do not show", async () => {
  const store = new MemoryStore();
  const repository = await moved(store, 2);
  const stale = await repository.git.read();
  await change(repository, moving("refs/heads/main", { oid: oid(3) }));
  // Its first attempt leaves an object that ends with the third generation, and loses.
  await repository.git.commit(movingMany(oid(9)), stale);
  const ends = (await Array.fromAsync(store.list("holdall/log/"))).map(({ key }) => Number(key.slice(12, 24)));
  assert.deepEqual(ends, [3, 4]);
  const manifest = await manifestOf(repository);
  assert.deepEqual(manifest.log, []);
  const entries = await Array.fromAsync(history(store, manifest));
  assert.deepEqual(
    entries.map(({ updates }) => updates[0]?.to),
    [oid(9), oid(3), oid(2), oid(1)],
  );
  assert.equal(entries[1]?.by, "Ada <ada@example.org>");
  assert.deepEqual(await broken(await moved(new MemoryStore(), 1)), ["refs/heads/main"]);
});

test("what the log has no place for is not committed", async () => {
  const store = new MemoryStore();
  const repository = await moved(store, 2);
  const full = new FaultyLayer(store, (call, key) =>
    call === "put" && key.startsWith("holdall/log/")
      ? { call, moment: { at: "before" }, error: new StorageError("denied", "no right to it") }
      : undefined,
  );
  await assert.rejects(change(kept(full), movingMany(oid(9))), { code: "denied" });
  assert.equal((await manifestOf(repository)).generation, 2);
});

test("maintenance leaves room in the manifest for the changes of those who push", async () => {
  const repository = await moved(new MemoryStore(), 15);
  const touch: Change = { log: { what: "compact" }, make: (now) => now && { next: now, updates: [] } };
  await change(repository, touch);
  assert.equal((await manifestOf(repository)).log.length, 16);
  await change(repository, touch);
  assert.deepEqual((await manifestOf(repository)).log, []);
  assert.equal((await Array.fromAsync(history(repository.store, await manifestOf(repository)))).length, 17);
});

test("a log with a gap says where, after all that there is before it", async () => {
  const store = new MemoryStore();
  const manifest = await manifestOf(await moved(store, 80));
  const ends = (await Array.fromAsync(history(store, manifest))).find(({ generation }) => generation === 66);
  await store.delete(logKey(ends ?? assert.fail()));
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const { generation } of history(store, manifest)) seen.push(generation);
  }, /no entry of generation 66: it was removed/);
  assert.equal(seen.at(-1), 67);
});

test("what an object of the log is not, is said, and one of other changes is none", async () => {
  const store = new MemoryStore();
  const repository = await moved(store, 33);
  const put = async (text: string): Promise<void> => {
    const bytes = Buffer.from(text);
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
    };
    await store.put(logKey(manifest), body(), { size: bytes.length });
  };
  const manifest = await manifestOf(repository);
  const entries = (await Array.fromAsync(history(store, manifest))).toReversed();
  const entry = { generation: 33, transaction: manifest.transaction, at: new Date(), what: "push", updates: [] };
  const unreadable = [
    "{",
    "[]",
    '{"version":2,"entries":[]}',
    '{"version":1,"entries":[{"generation":33}]}',
    JSON.stringify({ version: 1, entries: [{ ...entry, at: "never" }] }),
  ];
  for (const text of unreadable) {
    await put(text);
    await assert.rejects(Array.fromAsync(history(store, manifest)), /an entry of the repository's log cannot be read/);
  }
  const other = [[], entries.slice(0, -1), entries.toSpliced(20, 1), entries.with(7, entries[8] ?? assert.fail())];
  for (const wrong of other) {
    await put(JSON.stringify({ version: 1, entries: wrong }));
    await assert.rejects(Array.fromAsync(history(store, manifest)), /no entry of generation/);
  }
});

test("from the log comes every state that there was: refs, what tags come to, and the head", async () => {
  const repository = kept(new MemoryStore());
  const changes: Change[] = [
    moving("refs/heads/main", { oid: oid(1) }),
    moving("refs/tags/v1", { oid: oid(7), peeled: oid(1) }),
    moving("refs/heads/other", { oid: oid(2) }),
    pointingHead("refs/heads/other", undefined),
    moving("refs/heads/main", undefined),
    moving("refs/tags/v1", { oid: oid(8), peeled: oid(2) }),
    moving("refs/tags/v1", { oid: oid(2) }),
    moving("refs/heads/main", { oid: oid(3) }),
  ];
  const states: { head: string; refs: Manifest["refs"] }[] = [];
  for (const one of changes) {
    await change(repository, one);
    const { head, refs } = await manifestOf(repository);
    states.push({ head, refs });
  }
  const past = await Array.fromAsync(pastStates(repository.store, await manifestOf(repository)));
  assert.deepEqual(
    past.map(({ head, refs }) => ({ head, refs: Object.fromEntries(refs) })),
    states.map(({ head, refs }) => ({ head, refs: Object.fromEntries(refs) })).toReversed(),
  );
});

test("a log that says something else than the repository is not believed", async () => {
  const repository = kept(new MemoryStore());
  await change(repository, moving("refs/heads/main", { oid: oid(1) }));
  const wrong = moving("refs/heads/main", { oid: oid(2) });
  await change(repository, {
    log: wrong.log,
    make: async (now) => {
      const draft = await wrong.make(now);
      return draft && { ...draft, updates: [{ ref: "refs/heads/main", from: oid(1), to: oid(3) }] };
    },
  });
  const states = pastStates(repository.store, await manifestOf(repository));
  await assert.rejects(Array.fromAsync(states), /generation 2 says something else of refs\/heads\/main/);
});
