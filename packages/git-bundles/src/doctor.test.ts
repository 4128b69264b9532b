import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore, parseKey, StorageError } from "@holdall/object-store";
import { keysOf, putText, watched } from "../test/bench.ts";
import { diagnose, planRepairs, type BundleFinding } from "./doctor.ts";
import { readBundles, readHead } from "./listing.ts";
import { deleteRef, protectRef, setHead, unprotectRef } from "./manage.ts";
import { repair } from "./repair.ts";

const [A, B, C] = ["a".repeat(40), "b".repeat(40), "c".repeat(40)];
const HOUR = 3_600_000;
const later = (hours: number): { now: Date } => ({ now: new Date(Date.now() + hours * HOUR) });
const IMPATIENT = { patience: 0 };

async function storeOf(...keys: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  // In the order in which they came, each in a second of its own.
  const dated = new Map(keys.map((key, index) => [key, new Date(Date.now() - (keys.length - index) * 1000)]));
  const list = store.list.bind(store);
  store.list = async function* (prefix, o) {
    for await (const stat of list(prefix, o)) yield { ...stat, modifiedAt: dated.get(stat.key) ?? stat.modifiedAt };
  };
  for (const key of keys) await putText(store, key, key);
  return store;
}

const kinds = (findings: readonly BundleFinding[]): string[] => findings.map(({ kind }) => kind);

test("a repository that is as it should be has no findings", async () => {
  const store = await storeOf(
    `refs/heads/main/${A}.bundle`,
    "refs/heads/main/PROTECTED#",
    "refs/heads/main/repo.zip",
    "lfs/x",
  );
  await putText(store, "HEAD", "refs/heads/main");
  assert.deepEqual(await diagnose(store, later(48)), []);
  assert.deepEqual(await diagnose(new MemoryStore()), []);
});

test("of several heads the newest stays and the others become branches, called as git-remote-s3 calls them", async () => {
  const store = await storeOf(`refs/heads/x/${B}.bundle`, ...[B, C, A].map((oid) => `refs/heads/main/${oid}.bundle`));
  await putText(store, "HEAD", "refs/heads/main");
  const findings = await diagnose(store);
  const [finding] = findings;
  assert.equal(finding?.kind, "several-bundles");
  assert.deepEqual(
    finding.bundles.map(({ oid, isOnlyCopy }) => [oid, isOnlyCopy]),
    [
      [A, true],
      [C, true],
      [B, false],
    ],
  );
  const [plan = assert.fail()] = planRepairs(findings);
  const report = await repair(store, plan);
  assert.deepEqual(new Set(report.moved.map(({ oid }) => oid)), new Set([B, C]));
  const { refs, older, locks } = await readBundles(store);
  assert.deepEqual([older.size, locks.length, refs.get("refs/heads/main")?.oid], [0, 0, A]);
  for (const { oid, ref } of report.moved) {
    assert.match(ref, /^refs\/heads\/main_[0-9a-f]{8}$/);
    assert.equal(refs.get(ref)?.oid, oid);
  }
  assert.deepEqual(await diagnose(store), []);
});

test("heads go only when a plan names them, and any of them may be the one that stays", async () => {
  const store = await storeOf(...[B, C, A].map((oid) => `refs/heads/main/${oid}.bundle`));
  const findings = (await diagnose(store)).filter(({ kind }) => kind === "several-bundles");
  assert.deepEqual(planRepairs(findings, { deleteBundles: true }), [
    { kind: "keep-bundle", ref: "refs/heads/main", keep: A, found: [A, C, B], remove: [C, B] },
  ]);
  await repair(store, { kind: "keep-bundle", ref: "refs/heads/main", keep: B, found: [A, B, C], remove: [A] });
  const { refs } = await readBundles(store);
  assert.equal(refs.get("refs/heads/main")?.oid, B);
  assert.deepEqual([...refs.values()].map(({ oid }) => oid).toSorted(), [B, C]);
});

test("what has changed since it was found is left alone", async () => {
  const store = await storeOf(...[B, A].map((oid) => `refs/heads/main/${oid}.bundle`));
  const [plan = assert.fail()] = planRepairs(await diagnose(store), { deleteBundles: true });
  await putText(store, `refs/heads/main/${C}.bundle`, "new");
  await assert.rejects(repair(store, plan), { code: "contended" });
  assert.equal((await keysOf(store, "refs/")).length, 3);
  await putText(store, "refs/heads/main/LOCK#.lock");
  await assert.rejects(repair(store, plan, IMPATIENT), { code: "contended" });
});

test("heads stay when the one that was to be kept is gone, or was never there", async () => {
  for (const [keep, gone] of [
    [B, B],
    [C, undefined],
  ] as const) {
    const store = await storeOf(...[B, A].map((oid) => `refs/heads/main/${oid}.bundle`));
    if (gone !== undefined) await store.delete(parseKey(`refs/heads/main/${gone}.bundle`));
    const before = await keysOf(store);
    const plan = { kind: "keep-bundle", ref: "refs/heads/main", keep, found: [A, B], remove: [A, B] } as const;
    await assert.rejects(repair(store, plan), { code: "contended" });
    assert.deepEqual(await keysOf(store), before);
  }
});

test("whoever loses the lock in the middle of a repair deletes nothing", async (t) => {
  const store = await storeOf(...[B, A].map((oid) => `refs/heads/main/${oid}.bundle`));
  const [plan = assert.fail()] = planRepairs(await diagnose(store));
  const slow = watched(store, {
    after: async (call) => {
      if (call !== "copy") return;
      const then = performance.now() + HOUR;
      t.mock.method(performance, "now", () => then);
      await putText(store, "refs/heads/main/LOCK#.lock", "somebody else");
    },
  });
  await assert.rejects(repair(slow, plan), { code: "contended" });
  assert.equal((await readBundles(store)).older.get("refs/heads/main")?.length, 1);
});

test("a copy of a repair's whose answer is lost is done", async () => {
  const store = await storeOf(...[B, A].map((oid) => `refs/heads/main/${oid}.bundle`));
  const [plan = assert.fail()] = planRepairs(await diagnose(store));
  const faulty = watched(store, {
    after: (call) => {
      if (call === "copy") throw new StorageError("unavailable", "no answer came", { uncertain: true });
    },
  });
  const { moved } = await repair(faulty, plan);
  const { refs, older } = await readBundles(store);
  assert.deepEqual([older.size, refs.get(moved[0]?.ref ?? "")?.oid], [0, B]);
});

test("a bundle that is replaced in the middle of a repair stays, and does not become a branch", async () => {
  for (const moment of ["copy", "delete"]) {
    const store = await storeOf(...[B, A].map((oid) => `refs/heads/main/${oid}.bundle`));
    const [plan = assert.fail()] = planRepairs(await diagnose(store));
    const meanwhile = watched(store, {
      before: async (call, [key]) => {
        if (call === moment && String(key).includes(B)) await putText(store, `refs/heads/main/${B}.bundle`, "theirs");
      },
    });
    await assert.rejects(repair(meanwhile, plan), { code: "conflict" });
    assert.equal((await keysOf(store, `refs/heads/main/${B}`)).length, 1);
    assert.equal((await keysOf(store, "refs/heads/main_")).length, moment === "copy" ? 0 : 1);
  }
});

test("a repair that fails between copying and deleting loses nothing, and can be done again", async () => {
  const store = await storeOf(...[B, A].map((oid) => `refs/heads/main/${oid}.bundle`));
  const [plan = assert.fail()] = planRepairs(await diagnose(store));
  const failing = watched(store, {
    before: (call, [key]) => {
      if (call === "delete" && String(key).includes(B)) throw new Error("cut off");
    },
  });
  await assert.rejects(repair(failing, plan), /cut off/);
  const keys = await keysOf(store, "refs/");
  assert.equal(keys.filter((key) => key.includes(B)).length, 2);
  await repair(store, plan);
  assert.equal((await readBundles(store)).older.size, 0);
});

test("a stale lock is found and broken; one that is fresh is neither", async () => {
  const store = await storeOf(`refs/heads/main/${A}.bundle`, "refs/heads/main/LOCK#.lock");
  await putText(store, "HEAD", "refs/heads/main");
  assert.deepEqual(await diagnose(store), []);
  assert.deepEqual(kinds(await diagnose(store, { ...later(0.01), lockTtl: 10 })), ["stale-lock"]);
  const findings = await diagnose(store, later(1));
  assert.deepEqual(kinds(findings), ["stale-lock"]);
  const [plan = assert.fail()] = planRepairs(findings);
  await assert.rejects(repair(store, plan), { code: "contended" });
  assert.deepEqual((await repair(store, plan, { ttl: -1 })).removed, ["refs/heads/main/LOCK#.lock"]);
  assert.deepEqual(await diagnose(store, later(1)), []);
});

test("a HEAD that is of no use is set to what one would guess, and otherwise a person is asked", async () => {
  const store = await storeOf(`refs/heads/main/${A}.bundle`, `refs/heads/other/${B}.bundle`);
  for (const head of [undefined, "refs/heads/gone"]) {
    if (head !== undefined) await putText(store, "HEAD", head);
    const findings = await diagnose(store);
    assert.deepEqual(kinds(findings), ["dangling-head"]);
    assert.deepEqual(planRepairs(findings), [{ kind: "set-head", head: "refs/heads/main" }]);
  }
  await store.delete(parseKey(`refs/heads/main/${A}.bundle`));
  await putText(store, `refs/heads/third/${C}.bundle`);
  const findings = await diagnose(store);
  assert.deepEqual(findings[0]?.kind === "dangling-head" && findings[0].branches, [
    "refs/heads/other",
    "refs/heads/third",
  ]);
  assert.deepEqual(planRepairs(findings), []);
  await repair(store, { kind: "set-head", head: "refs/heads/third" });
  assert.equal(await readHead(store), "refs/heads/third");
  await assert.rejects(repair(store, { kind: "set-head", head: "refs/heads/gone" }), { code: "refused" });
});

test("uploads of pushes that were killed go after a day, and what is for a person is only said", async () => {
  const store = await storeOf(
    `refs/heads/d/${A}.bundle`,
    `refs/heads/d/e/${B}.bundle`,
    `refs/heads/a..b/${C}.bundle`,
    "holdall/uploads/1.bundle",
  );
  await putText(store, "HEAD", "refs/heads/d");
  assert.deepEqual(kinds(await diagnose(store, later(23))), ["refs-in-the-way", "strange-bundle"]);
  const findings = await diagnose(store, later(25));
  assert.deepEqual(kinds(findings), ["refs-in-the-way", "strange-bundle", "left-over-upload"]);
  for (const plan of planRepairs(findings)) await repair(store, plan);
  assert.deepEqual(await keysOf(store, "holdall/"), []);
  assert.equal((await keysOf(store, "refs/")).length, 3);
});

test("a ref is protected and no longer, made the head, and deleted, when it is there and may be", async () => {
  const store = await storeOf(
    `refs/heads/main/${A}.bundle`,
    `refs/heads/x/${B}.bundle`,
    "refs/heads/x/repo.zip",
    `refs/heads/x/y/${C}.bundle`,
  );
  await assert.rejects(protectRef(store, "refs/heads/none"), { code: "refused" });
  await protectRef(store, "refs/heads/x");
  assert.ok((await keysOf(store)).includes("refs/heads/x/PROTECTED#"));
  await setHead(store, "refs/heads/x");
  await assert.rejects(setHead(store, "refs/tags/v1"), { code: "refused" });
  await assert.rejects(deleteRef(store, "refs/heads/x"), { code: "refused", message: /protected/ });
  await unprotectRef(store, "refs/heads/x");
  await assert.rejects(unprotectRef(store, "refs/heads/x"), { code: "refused" });
  await assert.rejects(deleteRef(store, "refs/heads/x"), { code: "refused", message: /clones begin with/ });
  await setHead(store, "refs/heads/main");
  await putText(store, `refs/heads/x/${A}.bundle`);
  await assert.rejects(deleteRef(store, "refs/heads/x"), { code: "refused", message: /several bundles/ });
  await store.delete(parseKey(`refs/heads/x/${A}.bundle`));
  await deleteRef(store, "refs/heads/x");
  await assert.rejects(deleteRef(store, "refs/heads/x"), { code: "refused", message: /there is no/ });
  assert.deepEqual(await keysOf(store, "refs/heads/"), [`refs/heads/main/${A}.bundle`, `refs/heads/x/y/${C}.bundle`]);
});
