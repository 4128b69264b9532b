import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { GitStoreError } from "@holdall/git-store";
import { MemoryStore, StorageError, type ObjectStat, type ObjectStore } from "@holdall/object-store";
import fc from "fast-check";
import { Bench, keysOf, putText, watched, type Call } from "../test/bench.ts";
import { changeRef, uploadBundle, type Archive, type RefChange } from "./change-ref.ts";
import { importBundles } from "./import.ts";
import { bundleKey, markKey } from "./layout.ts";
import { bundlesOf, readBundles, type BundleListing } from "./listing.ts";

const REF = "refs/heads/main";
const IMPATIENT = { patience: 0 };

// One repository for all tests: what they add to it is in nobody's way.
const shared = await Bench.create({ after });
const [ONE, TWO] = [await shared.commit("one"), await shared.commit("two")];

interface Scene {
  readonly bench: Bench;
  readonly store: MemoryStore;
  readonly first: string;
  readonly second: string;
}

/** A ref with one commit in the store, and one more commit here. */
async function scene(): Promise<Scene> {
  const store = new MemoryStore();
  await shared.publish(store, REF, ONE);
  return { bench: shared, store, first: ONE, second: TWO };
}

async function push(
  { bench, second }: Scene,
  store: ObjectStore,
  o: {
    readonly to?: string | undefined;
    readonly expected: string | undefined;
    readonly warnings?: string[];
    readonly archive?: Archive;
  },
): Promise<string | undefined> {
  const oid = "to" in o ? o.to : second;
  let to: RefChange["to"];
  if (oid !== undefined) {
    const path = await bench.bundle(oid);
    to = { oid, from: await uploadBundle(store, { path, size: (await stat(path)).size }) };
  }
  const change = {
    ref: REF,
    to,
    refuse: async ({ refs }: BundleListing) => (refs.get(REF)?.oid === o.expected ? undefined : "fetch first"),
    contains: (a: string, b: string) => bench.git.isAncestor(a, b),
    archive: o.archive,
    warn: (text: string) => void o.warnings?.push(text),
  };
  return await changeRef(store, change, IMPATIENT);
}

/** The same store, where what is named after these oids came in their order, each in a second of its own. */
function dated(store: ObjectStore, oids: readonly string[]): ObjectStore {
  const list = async function* (prefix: string): AsyncGenerator<ObjectStat> {
    for await (const stat of store.list(prefix)) {
      const at = oids.findIndex((oid) => stat.key.includes(oid));
      yield { ...stat, modifiedAt: new Date(1e12 + at * 1000) };
    }
  };
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = name === "list" ? list : Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Nothing happened for an hour, by the clock of the process. */
function standStill(t: TestContext): void {
  const then = performance.now() + 3_600_000;
  t.mock.method(performance, "now", () => then);
}

const valueIn = async (store: ObjectStore): Promise<string | undefined> =>
  (await readBundles(store)).refs.get(REF)?.oid;

test("a ref moves, or is refused when somebody else has moved it meanwhile", async () => {
  const one = await scene();
  const { store, first, second } = one;
  assert.equal(await push(one, store, { expected: undefined }), "fetch first");
  assert.equal(await valueIn(store), first);
  assert.equal(await push(one, store, { expected: first }), undefined);
  assert.deepEqual(await keysOf(store, "refs/"), [`${REF}/${second}.bundle`]);
  assert.equal(await push(one, store, { expected: first, to: undefined }), "fetch first");
  assert.equal(await push(one, store, { expected: second, to: undefined }), undefined);
  assert.deepEqual(await keysOf(store, "refs/"), []);
});

for (const moment of ["before", "after"] as const) {
  test(`an answer that is lost (${moment} it was done) at any change leaves the old value or the new one, and the next push goes on`, async () => {
    for (let nth = 1; ; nth += 1) {
      const one = await scene();
      const { store, first, second } = one;
      let count = 0;
      let struck: Call | undefined;
      const strike = (call: Call): void => {
        if (call === "get" || call === "stat" || (count += 1) !== nth) return;
        struck = call;
        throw new StorageError("unavailable", "no answer came", { uncertain: moment === "after", retryable: false });
      };
      const faulty = watched(store, { [moment]: strike });
      const outcome = await push(one, faulty, { expected: first }).catch((error: unknown) => {
        assert.ok(error instanceof StorageError || error instanceof GitStoreError, String(error));
        return "failed";
      });
      const value = await valueIn(store);
      assert.ok(value === first || value === second, `${nth}`);
      if (outcome === undefined) assert.equal(value, second, `what was acknowledged at ${nth} is there`);
      // A lock that could not be given back would become stale.
      await store.delete(markKey(REF, "lock"));
      assert.equal(await push(one, store, { expected: value, to: second }), undefined);
      assert.deepEqual(await keysOf(store, "refs/"), [`${REF}/${second}.bundle`]);
      // Whoever holds the lock can tell whether it was done.
      if (struck === "copy") assert.equal(outcome, moment === "after" ? undefined : "failed");
      if (struck === undefined) {
        assert.ok(nth > 4);
        return;
      }
    }
  });
}

test("whoever loses the lock while copying is not told ok, and leaves no second head when another has pushed", async (t) => {
  const one = await scene();
  const { bench, store, first } = one;
  bench.do("checkout", "--quiet", "-b", "side", first);
  const theirs = await bench.commit("theirs");
  const slow = watched(store, {
    before: async (call) => {
      if (call !== "copy") return;
      // Stood still for so long that another has taken the lock, pushed, and gone.
      standStill(t);
      await store.delete((await readBundles(store)).locks[0]?.key ?? assert.fail());
      assert.equal(await push(one, store, { expected: first, to: theirs }), undefined);
    },
  });
  await assert.rejects(push(one, slow, { expected: first }), { code: "contended" });
  assert.deepEqual(await keysOf(store, "refs/"), [`${REF}/${theirs}.bundle`]);
});

test("whoever loses the lock and nobody has pushed is not told ok, and both values are there for the next one", async (t) => {
  const one = await scene();
  const { store, first, second } = one;
  const slow = watched(store, {
    before: async (call) => {
      if (call !== "copy") return;
      standStill(t);
      await putText(store, `${REF}/LOCK#.lock`, "somebody else");
    },
  });
  await assert.rejects(push(one, slow, { expected: first }), { code: "contended" });
  assert.deepEqual(new Set(bundlesOf(await readBundles(store), REF).map(({ oid }) => oid)), new Set([first, second]));
});

test("whoever loses the lock while removing what was replaced removes no more, however the ref has moved since", async (t) => {
  for (const [isForcedBack, isDeletion] of [
    [true, false],
    [false, false],
    [true, true],
  ]) {
    const one = await scene();
    const { bench, store, first, second } = one;
    // What a push has left that was killed: the value's own past.
    const root = await bench.publish(store, REF, bench.do("commit-tree", "-m", "root", `${first}^{tree}`));
    const value = await bench.publish(
      store,
      REF,
      bench.do("commit-tree", "-p", root, "-m", "value", `${first}^{tree}`),
    );
    await store.delete(bundleKey(REF, first));
    const ordered = dated(store, [root, value, second]);
    let hasMoved = false;
    const slow = watched(ordered, {
      before: async (call, [key]) => {
        if (call !== "delete" || !String(key).includes(root) || hasMoved) return;
        hasMoved = true;
        standStill(t);
        await putText(store, markKey(REF, "lock"), "somebody else");
        await store.delete(bundleKey(REF, second));
        if (isForcedBack) return;
        await bench.publish(store, REF, first);
        await store.delete(bundleKey(REF, value));
      },
    });
    const to = isDeletion ? undefined : second;
    await assert.rejects(push(one, slow, { expected: value, to }), { code: "contended" });
    assert.deepEqual(
      (await keysOf(store, "refs/")).filter((key) => key.endsWith(".bundle")),
      [bundleKey(REF, isForcedBack ? value : first)],
    );
    t.mock.reset();
  }
});

test("whoever loses the lock of a new ref is not told ok, and leaves no second head when another has made it", async (t) => {
  const one = await scene();
  const { bench, store, first } = one;
  await store.delete(bundleKey(REF, first));
  const slow = watched(store, {
    before: async (call) => {
      if (call !== "copy") return;
      standStill(t);
      await putText(store, markKey(REF, "lock"), "somebody else");
      await bench.publish(store, REF, first);
    },
  });
  await assert.rejects(push(one, slow, { expected: undefined }), { code: "contended" });
  assert.equal(await valueIn(store), first);
  assert.equal(bundlesOf(await readBundles(store), REF).length, 1);
});

test("several bundles of a ref become one when nothing is lost by it, and otherwise it is refused", async () => {
  const one = await scene();
  const { bench, store, first, second } = one;
  const other = await bench.publish(store, REF, bench.do("commit-tree", "-m", "other", `${first}^{tree}`));
  const merged = bench.do("commit-tree", "-p", first, "-p", other, "-m", "merged", `${first}^{tree}`);
  const seen = dated(store, [other, first, second, merged]);
  assert.match((await push(one, seen, { expected: first })) ?? "", /one of them is nowhere else/);
  assert.match((await push(one, seen, { expected: first, to: undefined })) ?? "", /one of them is nowhere else/);
  assert.equal(await push(one, seen, { expected: first, to: merged }), undefined);
  // As a push leaves it that was killed, and somebody goes back to what was.
  await putText(store, bundleKey(REF, first), "by another program");
  assert.equal(await push(one, seen, { expected: merged, to: first }), undefined);
  const [left, ...more] = bundlesOf(await readBundles(store), REF);
  assert.deepEqual([left?.oid, left?.size, more], [first, "by another program".length, []]);
});

test("a bundle that another program puts where ours was to go is not replaced, nor taken for ours", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const meanwhile = watched(store, {
    before: async (call) => {
      if (call === "copy") await putText(store, bundleKey(REF, second), "theirs");
    },
  });
  await assert.rejects(push(one, meanwhile, { expected: first }), {
    code: "not-found",
    message: /was replaced before/,
  });
  const sizes = new Map(bundlesOf(await readBundles(store), REF).map(({ oid, size }) => [oid, size]));
  assert.deepEqual([sizes.size, sizes.get(second)], [2, "theirs".length]);
});

test("a copy whose answer is lost, and whose source is gone when it is made again, is done", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const faulty = watched(store, {
    after: async (call, [from]) => {
      if (call === "copy") throw new StorageError("not-found", `there is no object ${String(from)}`);
    },
  });
  assert.equal(await push(one, faulty, { expected: first }), undefined);
  assert.deepEqual(await keysOf(store, "refs/"), [bundleKey(REF, second)]);
});

test("what was to be copied and is another by then is not copied", async () => {
  const one = await scene();
  const { store, first } = one;
  const meanwhile = watched(store, {
    before: async (call, [from]) => {
      if (call === "copy") await putText(store, String(from), "another");
    },
  });
  await assert.rejects(push(one, meanwhile, { expected: first }), { code: "not-found" });
  assert.deepEqual(await keysOf(store, "refs/"), [bundleKey(REF, first)]);
});

test("a lock under which git-remote-s3 may still be sending as much is not taken over", async (t) => {
  const { store, second } = await scene();
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() - 100_000 });
  await putText(store, markKey(REF, "lock"));
  t.mock.timers.reset();
  const from = { key: bundleKey(REF, second), size: 2 ** 30, etag: "any" };
  const change = {
    ref: REF,
    to: { oid: second, from },
    refuse: async () => "the lock is ours",
    contains: async () => false,
    warn: () => undefined,
  };
  await assert.rejects(changeRef(store, change, IMPATIENT), { code: "contended" });
  assert.equal(await changeRef(store, { ...change, to: undefined }, IMPATIENT), "the lock is ours");
});

test("what somebody has put in the place of what was replaced stays", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const warnings: string[] = [];
  const meanwhile = watched(store, {
    before: async (call, [key]) => {
      if (call === "copy") await putText(store, `${REF}/${first}.bundle`, "theirs");
      if (call === "delete" && String(key).includes(second)) assert.fail("the new value is deleted");
    },
  });
  const outcome = await push(one, dated(meanwhile, [first, second]), { expected: first, warnings });
  assert.equal(outcome, undefined);
  assert.match(warnings.join(), /is still there/);
  assert.equal((await keysOf(store, `${REF}/${first}`)).length, 1);
});

test("a push whose predecessor cannot be removed, and counts as the later one, is not told ok", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const stuck = watched(store, {
    before: (call, [key]) => {
      if (call === "delete" && String(key).includes(first)) throw new StorageError("denied", "you may not delete");
    },
  });
  const outcome = await push(one, dated(stuck, [second, first]), { expected: first });
  assert.match(outcome ?? "", /could not be removed, and is still taken for its value/);
  assert.equal((await keysOf(store, REF)).length, 2);
});

test("a removal whose answer is lost, and which is refused when it is made again, is done", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const warnings: string[] = [];
  let lost = 0;
  const faulty = watched(store, {
    after: (call, [key]) => {
      if (call === "delete" && String(key).includes(first) && (lost += 1) === 1)
        throw new StorageError("unavailable", "no answer came", { uncertain: true });
    },
  });
  assert.equal(await push(one, faulty, { expected: first, warnings }), undefined);
  assert.deepEqual([warnings, await keysOf(store, "refs/")], [[], [`${REF}/${second}.bundle`]]);
});

test("whoever uploads while the repository is imported in place is not told ok, and leaves the bundles as they were imported", async () => {
  for (const to of ["second", undefined] as const) {
    const one = await scene();
    const { store, first, second } = one;
    let isImported = false;
    const slow = watched(store, {
      before: async (call, [key]) => {
        if (call !== "put" || isImported || !String(key).endsWith("LOCK#.lock")) return;
        isImported = true;
        await importBundles({ from: store, into: store });
      },
    });
    const outcome = await push(one, slow, { expected: first, to: to && second });
    assert.match(outcome ?? "", /the repository was imported meanwhile: fetch, then push again/);
    assert.deepEqual(await keysOf(store, REF), [`${REF}/${first}.bundle`]);
  }
});

test("a removal that fails in passing is made again, and nobody hears of it", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const warnings: string[] = [];
  let failures = 0;
  const busy = watched(store, {
    before: (call, [key]) => {
      if (call === "delete" && String(key).includes(first) && (failures += 1) < 3)
        throw new StorageError("throttled", "too many requests");
    },
  });
  assert.equal(await push(one, busy, { expected: first, warnings }), undefined);
  assert.deepEqual([warnings, failures, await valueIn(store)], [[], 3, second]);
});

test("a zip that could not be put, or is no longer ours to put, takes nothing from the push", async (t) => {
  const { folder } = await Bench.create(t);
  const path = join(folder, "repo.zip");
  await writeFile(path, "PK");
  for (const [moment, message] of [
    ["put", /its repo\.zip is not up to date: you may not write/],
    ["deleted", /its repo\.zip is not up to date: the lock .* was taken over/],
  ] as const) {
    const one = await scene();
    const { store, first, second } = one;
    const warnings: string[] = [];
    const faulty = watched(store, {
      before: (call, [key]) => {
        if (moment === "put" && call === "put" && String(key).endsWith("repo.zip"))
          throw new StorageError("denied", "you may not write");
      },
      after: async (call, [key]) => {
        if (moment !== "deleted" || call !== "delete" || !String(key).includes(first)) return;
        standStill(t);
        await putText(store, markKey(REF, "lock"), "somebody else");
      },
    });
    const archive = { path, size: 2, oid: second, summary: "two" };
    assert.equal(await push(one, faulty, { expected: first, warnings, archive }), undefined);
    assert.match(warnings.join(), message);
    assert.equal(await store.stat(markKey(REF, "archive")), undefined);
  }
});

test("what could not be removed is said, and is no reason to call the push failed", async () => {
  const one = await scene();
  const { store, first, second } = one;
  const warnings: string[] = [];
  const stuck = watched(store, {
    before: (call, [key]) => {
      if (call === "delete" && String(key).includes(first)) throw new StorageError("denied", "you may not delete");
    },
  });
  assert.equal(await push(one, stuck, { expected: first, warnings }), undefined);
  assert.match(warnings.join(), /is still there \(you may not delete\)/);
  assert.equal(await valueIn(store), second);
});

test("of any pushes from any state, at once or not, each that is told ok is in the history, and one bundle is left", async (t) => {
  const bench = await Bench.create(t);
  const oids = [await bench.commit("0")];
  for (let index = 1; index < 6; index += 1) {
    bench.do("checkout", "--quiet", oids[Math.floor((index - 1) / 2)] ?? "main");
    oids.push(await bench.commit(String(index)));
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: oids.length - 1 }), { minLength: 1, maxLength: 5 }),
      fc.scheduler(),
      async (targets, scheduler) => {
        const inner = new MemoryStore();
        const [start = ""] = oids;
        await bench.publish(inner, REF, start);
        const store = watched(inner, {
          before: (call) => scheduler.schedule(Promise.resolve(), call),
        });
        const done: string[] = [];
        const pushes = Promise.all(
          targets.map(async (target) => {
            const oid = oids[target] ?? start;
            const expected = await valueIn(store);
            if (expected === undefined || !(await bench.git.isAncestor(expected, oid))) return;
            const one = { bench, store: inner, first: start, second: oid };
            const outcome = await push(one, store, { expected, to: oid }).catch((error: unknown) => {
              assert.ok(error instanceof GitStoreError && error.code === "contended", String(error));
              return "busy";
            });
            if (outcome === undefined) done.push(oid);
          }),
        );
        await scheduler.waitFor(pushes);
        const value = await valueIn(inner);
        for (const oid of done) assert.ok(await bench.git.isAncestor(oid, value ?? ""), `${oid} is in ${value}`);
        assert.deepEqual(await keysOf(inner, "refs/"), [`${REF}/${value}.bundle`]);
      },
    ),
    { seed: 11, numRuns: 15 },
  );
});
