import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, parseKey, type ObjectStore } from "@holdall/object-store";
import { broken, kept, manifestOf } from "../test/author.ts";
import type { Change } from "./git-store.ts";
import { history, pastStates } from "./history.ts";
import { logKey } from "./keys.ts";
import { pointingHead } from "./admin.ts";
import type { Kept } from "./maintenance.ts";
import type { Manifest, RefValue } from "./manifest.ts";

const oid = (number: number): string => number.toString(16).padStart(40, "0");

const EMPTY = {
  objectFormat: "sha1",
  head: "refs/heads/main",
  refs: new Map(),
  packs: [],
  retired: [],
  deleting: [],
  rules: [],
} as const;

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

test("the log is read from its end, and not much more of it than is wanted", async () => {
  const calls: string[] = [];
  const store = new FaultyLayer(new MemoryStore(), (call) => {
    calls.push(call);
    return undefined;
  });
  const repository = await moved(store, 120);
  const manifest = await manifestOf(repository);
  calls.length = 0;
  const taken: number[] = [];
  for await (const { generation } of history(store, manifest, 5)) {
    taken.push(generation);
    if (taken.length === 5) break;
  }
  assert.deepEqual(taken, [120, 119, 118, 117, 116]);
  assert.deepEqual(calls.toSorted(), ["get", "get", "get", "get", "get", "list"]);
  const all = await Array.fromAsync(history(store, manifest));
  assert.deepEqual(
    all.map(({ generation }) => generation),
    Array.from({ length: 120 }, (_, index) => 120 - index),
  );
});

test("entries of changes that were never committed do not show", async () => {
  const store = new MemoryStore();
  const repository = await moved(store, 2);
  const stale = await repository.git.read();
  await change(repository, moving("refs/heads/main", { oid: oid(3) }));
  // Its first attempt leaves an entry of the third generation, and loses.
  await repository.git.commit(moving("refs/heads/other", { oid: oid(9) }), stale);
  assert.equal((await Array.fromAsync(store.list("holdall/log/000000000003"))).length, 2);
  const entries = await Array.fromAsync(history(store, await manifestOf(repository)));
  assert.deepEqual(
    entries.map(({ updates }) => updates[0]?.to),
    [oid(9), oid(3), oid(2), oid(1)],
  );
  assert.equal(entries[0]?.by, "Ada <ada@example.org>");
  assert.deepEqual(await broken(await moved(new MemoryStore(), 1)), ["refs/heads/main"]);
});

test("a log with a gap says where, after all that there is before it", async () => {
  const store = new MemoryStore();
  const repository = await moved(store, 30);
  const entries = await Array.fromAsync(history(store, await manifestOf(repository)));
  await store.delete(logKey(entries.find(({ generation }) => generation === 11) ?? assert.fail()));
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const { generation } of history(store, await manifestOf(repository))) seen.push(generation);
  }, /no entry of generation 11: it was removed/);
  assert.equal(seen.at(-1), 12);
});

test("what an entry is not, is said, and files of others are passed over", async () => {
  const store = new MemoryStore();
  const repository = await moved(store, 2);
  const put = async (key: string, text: string): Promise<void> => {
    const bytes = Buffer.from(text);
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
    };
    await store.put(parseKey(key), body(), { size: bytes.length });
  };
  await put("holdall/log/000000000002-notes.txt", "somebody's");
  const manifest = await manifestOf(repository);
  assert.equal((await Array.fromAsync(history(store, manifest))).length, 2);
  for (const text of ["{", "[]", '{"generation":2}', '{"generation":2,"transaction":"x","at":"never","what":"push"}']) {
    await put(logKey(manifest), text);
    await assert.rejects(Array.fromAsync(history(store, manifest)), /an entry of the repository's log cannot be read/);
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
