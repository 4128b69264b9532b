import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FaultyLayer,
  MemoryStore,
  parseKey,
  StorageError,
  type Capabilities,
  type Fault,
  type ObjectStore,
} from "@holdall/object-store";
import fc from "fast-check";
import { GitStoreError } from "./errors.ts";
import { EMPTY } from "../test/author.ts";
import type { Change } from "./change.ts";
import { GitStore } from "./git-store.ts";
import { history } from "./history.ts";
import type { RefUpdate } from "./log-entry.ts";
import { MANIFEST_KEY } from "./keys.ts";
import type { Manifest } from "./manifest.ts";

const soon = { pause: () => 0 };

/** The oid of a number. */
const oid = (number: number): string => number.toString(16).padStart(40, "0");

class Moved extends Error {}

/** Moves a ref from what it is known to be, as a push does. */
function moving(ref: string, from: string | undefined, to: string): Change {
  return {
    log: { what: "push", by: "Ada <ada@example.org>" },
    make(now: Manifest = { ...EMPTY, generation: 0, transaction: "", parent: undefined, at: new Date() }) {
      if (now.refs.get(ref)?.oid !== from) throw new Moved(ref);
      const updates = [{ ref, ...(from === undefined ? {} : { from }), to }];
      return { next: { ...now, refs: new Map(now.refs).set(ref, { oid: to }) }, updates };
    },
  };
}

async function textOf(store: ObjectStore, key: string): Promise<string> {
  return Buffer.concat(await Array.fromAsync((await store.get(parseKey(key))).body)).toString();
}

/** Everything that became part of the repository, the oldest first. */
async function allUpdates(store: ObjectStore): Promise<readonly RefUpdate[]> {
  const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
  const entries = await Array.fromAsync(history(store, manifest));
  assert.equal(entries.at(-1)?.generation, 1, "the log goes back to the beginning");
  return entries.toReversed().flatMap(({ updates }) => updates);
}

/** Notes each call. */
class Counting extends FaultyLayer {
  readonly calls: string[];

  constructor(inner: ObjectStore) {
    const calls: string[] = [];
    super(inner, (call, key) => {
      calls.push(`${call} ${key.replace(/-[0-9a-f]{8}-[0-9a-f-]{27}/, "-ID")}`);
      return undefined;
    });
    this.calls = calls;
  }
}

test("a change is one read and, beside what it brings, three writes; the first one makes the repository", async () => {
  const store = new Counting(new MemoryStore());
  const git = new GitStore(store);
  assert.equal(await git.read(), undefined);
  const first = await git.commit(moving("refs/heads/main", undefined, oid(1)), undefined);
  assert.equal(first?.manifest.generation, 1);
  assert.equal(first.manifest.parent, undefined);
  assert.equal(await textOf(store, "HEAD"), "ref: refs/heads/main\n");
  assert.match(await textOf(store, "config"), /bare = true/);
  assert.equal(await textOf(store, "objects/info/packs"), "\n");

  store.calls.length = 0;
  const known = await git.read();
  assert.deepEqual(known, first);
  const second = await git.commit(moving("refs/heads/main", oid(1), oid(2)), known);
  assert.equal(second?.manifest.parent, first.manifest.transaction);
  assert.deepEqual(store.calls, [
    "get holdall/manifest.json",
    "put holdall/manifest.json",
    "put packed-refs",
    "put info/refs",
  ]);
  assert.equal(await textOf(store, "info/refs"), `${oid(2)}\trefs/heads/main\n`);
  assert.deepEqual(await allUpdates(store), [
    { ref: "refs/heads/main", to: oid(1) },
    { ref: "refs/heads/main", from: oid(1), to: oid(2) },
  ]);
});

test("a change that is none writes nothing", async () => {
  const store = new Counting(new MemoryStore());
  assert.equal(
    await new GitStore(store).commit({ log: { what: "push" }, make: () => undefined }, undefined),
    undefined,
  );
  assert.deepEqual(store.calls, []);
});

test("what a change brings is there before it is committed, and brought once, however often others are faster", async () => {
  const store = new MemoryStore();
  const git = new GitStore(store, soon);
  await git.commit(moving("refs/heads/main", undefined, oid(1)), undefined);
  const stale = await git.read();
  await git.commit(moving("refs/heads/other", undefined, oid(7)), stale);
  let brought = 0;
  await git.commit(moving("refs/heads/main", oid(1), oid(2)), stale, async () => {
    brought += 1;
    assert.equal((await git.read())?.manifest.refs.get("refs/heads/main")?.oid, oid(1));
  });
  assert.equal(brought, 1);
  const now = (await git.read())?.manifest ?? assert.fail();
  assert.deepEqual(
    [now.generation, now.refs.get("refs/heads/main")?.oid, now.refs.get("refs/heads/other")?.oid],
    [3, oid(2), oid(7)],
  );
  await assert.rejects(
    git.commit(moving("refs/heads/main", oid(2), oid(3)), await git.read(), () => Promise.reject(new Error("no room"))),
    /no room/,
  );
  assert.equal((await git.read())?.manifest.generation, 3);
});

test("of many who move one ref at once, each that is told so has moved it from what it was", async () => {
  for (const writers of [2, 32]) {
    const store = new MemoryStore();
    let successes = 0;
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        const git = new GitStore(store, soon);
        for (let push = 0; push < 5; push += 1) {
          const known = await git.read();
          const from = known?.manifest.refs.get("refs/heads/main")?.oid;
          try {
            await git.commit(moving("refs/heads/main", from, oid(1000 * (writer + 1) + push)), known);
            successes += 1;
          } catch (error) {
            assert.ok(error instanceof Moved || (error instanceof GitStoreError && error.code === "contended"));
          }
        }
      }),
    );
    const moves = await allUpdates(store);
    assert.equal(moves.length, successes);
    let last: string | undefined;
    for (const { from, to } of moves) {
      assert.equal(from, last);
      last = to;
    }
  }
});

test("of many who each move a ref of their own at once, all succeed", async () => {
  const store = new MemoryStore();
  await Promise.all(
    Array.from({ length: 32 }, (_, writer) =>
      new GitStore(store, { attempts: 200, pause: () => 0 }).commit(
        moving(`refs/heads/${writer}`, undefined, oid(writer)),
        undefined,
      ),
    ),
  );
  const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
  assert.equal(manifest.refs.size, 32);
  assert.equal(manifest.generation, 32);
  assert.equal((await allUpdates(store)).length, 32);
  assert.equal((await textOf(store, "info/refs")).split("\n").length, 33, "the views show the last state");
});

test("who never wins hears that others were faster", async () => {
  const store = new MemoryStore();
  const others = new GitStore(store);
  await others.commit(moving("refs/heads/main", undefined, oid(0)), undefined);
  let count = 0;
  const unlucky = new FaultyLayer(store, () => undefined);
  const put = unlucky.put.bind(unlucky);
  unlucky.put = async (key, body, o) => {
    if (key === MANIFEST_KEY) {
      count += 1;
      await others.commit(moving(`refs/heads/${count}`, undefined, oid(count)), await others.read());
    }
    return await put(key, body, o);
  };
  const git = new GitStore(unlucky, { attempts: 4, pause: () => 0 });
  await assert.rejects(git.commit(moving("refs/heads/mine", undefined, oid(1)), await git.read()), {
    code: "contended",
  });
  assert.equal(count, 4);
});

/** A store that does what it is told and does not say so, as the plan wants. */
function unanswering(store: ObjectStore, at: (number: number) => Fault["moment"] | undefined): ObjectStore {
  let puts = 0;
  return new FaultyLayer(store, (call, key) => {
    if (call !== "put" || key !== MANIFEST_KEY) return undefined;
    puts += 1;
    const moment = at(puts);
    const error = new StorageError("unavailable", "no answer came", { uncertain: true });
    return moment && { call, moment, error };
  });
}

test("an answer that does not come is settled by looking, whether the change came through or not", async () => {
  for (const at of ["before", "after"] as const) {
    const store = new MemoryStore();
    const git = new GitStore(
      unanswering(store, (put) => (put === 2 ? { at } : undefined)),
      soon,
    );
    await git.commit(moving("refs/heads/main", undefined, oid(1)), undefined);
    const done = await git.commit(moving("refs/heads/main", oid(1), oid(2)), await git.read());
    assert.equal(done?.manifest.generation, 2);
    assert.equal((await git.read())?.manifest.generation, 2);
    assert.equal((await allUpdates(store)).length, 2);
  }
});

test("a store that never answers is an error, and no endless one", async () => {
  const git = new GitStore(
    unanswering(new MemoryStore(), () => ({ at: "before" })),
    soon,
  );
  await assert.rejects(git.commit(moving("refs/heads/main", undefined, oid(1)), undefined), { code: "unavailable" });
});

test("a change that came through unheard is found below what others built on it", async () => {
  const store = new MemoryStore();
  const others = new GitStore(store, soon);
  await others.commit(moving("refs/heads/main", undefined, oid(1)), undefined);
  const deaf = new FaultyLayer(store, () => undefined);
  const put = deaf.put.bind(deaf);
  deaf.put = async (key, body, o) => {
    const version = await put(key, body, o);
    if (key !== MANIFEST_KEY) return version;
    for (const ref of ["a", "b", "c"]) {
      await others.commit(moving(`refs/heads/${ref}`, undefined, oid(9)), await others.read());
    }
    throw new StorageError("unavailable", "no answer came", { uncertain: true });
  };
  const done = await new GitStore(deaf, soon).commit(moving("refs/heads/main", oid(1), oid(2)), await others.read());
  assert.equal(done?.manifest.generation, 5);
  assert.equal(done.manifest.refs.get("refs/heads/main")?.oid, oid(2));
  assert.equal((await allUpdates(store)).length, 5);
});

test("with whatever answers lost, every change that is told to be done is in the history, once", async () => {
  const plans = fc.array(fc.constantFrom("before", "after", "fine"), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(plans, { minLength: 2, maxLength: 4 }), async (writers) => {
      const store = new MemoryStore();
      const done: string[] = [];
      await Promise.all(
        writers.map(async (plan, writer) => {
          const moment = (put: number): Fault["moment"] | undefined => {
            const at = plan[put % plan.length];
            return at === "before" || at === "after" ? { at } : undefined;
          };
          const git = new GitStore(unanswering(store, moment), { attempts: 100, pause: () => 0 });
          for (let push = 0; push < 3; push += 1) {
            const ref = `refs/heads/${writer}`;
            const to = oid(100 * (writer + 1) + push);
            const known = await git.read();
            const from = known?.manifest.refs.get(ref)?.oid;
            try {
              await git.commit(moving(ref, from, to), known);
              done.push(to);
            } catch (error) {
              assert.ok(error instanceof StorageError, String(error));
            }
          }
        }),
      );
      const read = await new GitStore(store).read();
      const moves = read === undefined ? [] : (await allUpdates(store)).map(({ to }) => to);
      for (const to of done) assert.equal(moves.filter((one) => one === to).length, 1, `${to} of ${moves.join()}`);
      assert.equal(new Set(moves).size, moves.length);
    }),
    { seed: 11, numRuns: 60 },
  );
});

test("views that cannot be written take nothing from a change, and are written again", async () => {
  const store = new MemoryStore();
  let broken = true;
  const failing = new FaultyLayer(store, (call, key) =>
    broken && call === "put" && key === "info/refs"
      ? { call, moment: { at: "before" }, error: new StorageError("denied", "no") }
      : undefined,
  );
  const git = new GitStore(failing);
  const done = await git.commit(moving("refs/heads/main", undefined, oid(1)), undefined);
  assert.equal(done?.manifest.generation, 1);
  assert.equal(await store.stat(parseKey("info/refs")), undefined);
  broken = false;
  await git.refreshViews();
  assert.equal(await textOf(store, "info/refs"), `${oid(1)}\trefs/heads/main\n`);
});

test("a store without conditions is not written to, unless there is a single writer", async () => {
  class Plain extends MemoryStore {
    override readonly capabilities: Capabilities = {
      ...new MemoryStore().capabilities,
      putIfAbsent: false,
      compareAndSwap: false,
    };
  }
  const store = new Plain();
  const change = moving("refs/heads/main", undefined, oid(1));
  await assert.rejects(new GitStore(store).commit(change, undefined), { code: "unsupported", message: /store probe/ });
  assert.equal((await Array.fromAsync(store.list(""))).length, 0);
  const done = await new GitStore(store, { singleWriter: true }).commit(change, undefined);
  assert.equal(done?.manifest.generation, 1);
});

test("a manifest that cannot be read is never replaced", async () => {
  const store = new MemoryStore();
  const bytes = Buffer.from("{}");
  await store.put(
    MANIFEST_KEY,
    (async function* () {
      yield bytes;
    })(),
    { size: bytes.length },
  );
  const git = new GitStore(store, soon);
  await assert.rejects(git.read(), { code: "corrupt" });
  await assert.rejects(git.commit(moving("refs/heads/main", undefined, oid(1)), undefined), { code: "corrupt" });
  assert.equal(await textOf(store, MANIFEST_KEY), "{}");
});
