import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { GitStore, type Draft, type Manifest } from "@holdall/git-store";
import { FsStore, MemoryStore, parseKey, StorageError, type ObjectStore } from "@holdall/object-store";
import { setVariable } from "../../../test/support/environment.ts";
import { Bench, keysOf, putText, watched } from "../test/bench.ts";
import { importBundles, type ImportStep } from "./import.ts";
import { removeBundles } from "./remove-bundles.ts";

/** Branches that share history, both kinds of tags, a note, a protected ref, LFS. */
async function written(
  t: TestContext,
  store: ObjectStore,
  format = "sha1",
): Promise<{ bench: Bench; refs: Map<string, string> }> {
  const bench = await Bench.create(t, format);
  await bench.commit("one");
  bench.do("branch", "feature/a");
  bench.do("tag", "light");
  await bench.commit("two");
  bench.do("tag", "-a", "-m", "First", "v1");
  bench.do("notes", "add", "-m", "a note");
  const refs = new Map<string, string>();
  for (const ref of [
    "refs/heads/main",
    "refs/heads/feature/a",
    "refs/tags/light",
    "refs/tags/v1",
    "refs/notes/commits",
  ]) {
    refs.set(ref, await bench.publish(store, ref));
  }
  await putText(store, "HEAD", "refs/heads/main");
  await putText(store, "refs/heads/main/PROTECTED#");
  await putText(store, `lfs/${"a".repeat(64)}`, "large");
  return { bench, refs };
}

const refsIn = async (store: ObjectStore): Promise<Map<string, string>> => {
  const manifest = (await new GitStore(store).read())?.manifest;
  return new Map([...(manifest?.refs ?? [])].map(([ref, { oid }]) => [ref, oid]));
};

for (const format of ["sha1", "sha256"]) {
  test(`${format}: all refs, HEAD and protection are imported elsewhere, in one pack, and the bundles stay`, async (t) => {
    const [from, into] = [new MemoryStore(), new MemoryStore()];
    const { bench, refs } = await written(t, from, format);
    const before = await keysOf(from);
    const steps: ImportStep[] = [];
    const report = await importBundles({
      from,
      into,
      by: "Ada <ada@example.org>",
      onStep: (step) => void steps.push(step),
    });
    assert.deepEqual(report, { generation: 1, refs: 5, head: "refs/heads/main", wasThere: false, overlooked: [] });
    assert.deepEqual(Object.fromEntries(await refsIn(into)), Object.fromEntries(refs));
    const { manifest } = (await new GitStore(into).read()) ?? assert.fail();
    assert.equal(manifest.objectFormat, format);
    assert.equal(manifest.refs.get("refs/tags/v1")?.peeled, bench.do("rev-parse", "v1^{commit}"));
    assert.deepEqual(manifest.rules, [{ refs: "refs/heads/main", deny: ["force", "delete"] }]);
    assert.equal(manifest.packs.length, 1);
    assert.deepEqual(await keysOf(from), before);
    // The others' histories came with the first.
    const known = steps.flatMap((step) => (step.step === "bundle" ? [step.known] : []));
    assert.deepEqual([known.length, known.filter((one) => one).length], [4, 1]);
    assert.deepEqual(
      steps.slice(-3).map(({ step }) => step),
      ["pack", "verify", "publish"],
    );
  });
}

async function changed(store: ObjectStore, change: (now: Manifest) => Draft["next"]): Promise<void> {
  const make = (now: Manifest | undefined): Draft => ({ next: change(now ?? assert.fail()), updates: [] });
  const git = new GitStore(store);
  await git.commit({ log: { what: "push" }, make }, await git.read());
}

/** Of the bundles and what goes with them: the packs' repository has a key of its own there. */
async function bundleKeys(store: MemoryStore): Promise<readonly string[]> {
  return (await keysOf(store, "refs/")).filter((key) => key !== "refs/holdall.lock");
}

test("in place: the bundles stay until they are removed, and then everything else is still there", async (t) => {
  const store = new MemoryStore();
  const { refs } = await written(t, store);
  await putText(store, "refs/heads/main/repo.zip", "PK");
  await importBundles({ from: store, into: store });
  assert.equal((await bundleKeys(store)).length, 7);
  const again = await importBundles({ from: store, into: store });
  assert.deepEqual([again.wasThere, again.generation], [true, 1]);
  const { bundles } = await removeBundles({ store });
  assert.equal(bundles, 5);
  assert.deepEqual(await bundleKeys(store), []);
  assert.ok((await keysOf(store)).includes(`lfs/${"a".repeat(64)}`));
  assert.deepEqual(new Set((await refsIn(store)).values()), new Set(refs.values()));
  assert.deepEqual(await removeBundles({ store }), { bundles: 0, bytes: 0 });
});

test("bundles are not removed while there is nothing else, or while they have what nothing else has", async (t) => {
  const store = new MemoryStore();
  const { bench } = await written(t, store);
  await assert.rejects(removeBundles({ store }), { code: "refused", message: /all there is/ });
  await importBundles({ from: store, into: store });
  const late = await bench.commit("late");
  await store.delete(parseKey(`refs/heads/main/${bench.do("rev-parse", "main~1")}.bundle`));
  await bench.publish(store, "refs/heads/main");
  await assert.rejects(removeBundles({ store }), {
    code: "refused",
    message: new RegExp(`the bundle ${late} of refs/heads/main`),
  });
  await assert.rejects(importBundles({ from: store, into: store }), {
    code: "refused",
    message: /refs\/heads\/main is another/,
  });
  assert.equal((await bundleKeys(store)).length, 6);
  await putText(store, "refs/tags/light/LOCK#.lock");
  await assert.rejects(removeBundles({ store, discard: new Set([late]) }), { code: "contended" });
  await store.delete(parseKey("refs/tags/light/LOCK#.lock"));
  assert.equal((await removeBundles({ store, discard: new Set([late]) })).bundles, 5);
});

test("whoever pushes to the bundles meanwhile makes the import refuse, and nothing is published", async (t) => {
  const changes: Readonly<Record<string, (bench: Bench, store: ObjectStore) => Promise<unknown>>> = {
    push: (bench, store) => bench.publish(store, "refs/heads/main"),
    lock: (_, store) => putText(store, "refs/heads/main/LOCK#.lock"),
    protection: (_, store) => putText(store, "refs/heads/feature/a/PROTECTED#"),
    head: (_, store) => putText(store, "HEAD", "refs/heads/feature/a"),
  };
  for (const change of Object.values(changes)) {
    const [inner, into] = [new MemoryStore(), new MemoryStore()];
    const { bench } = await written(t, inner);
    await bench.commit("late");
    let done = false;
    const from = watched(inner, {
      after: async (call) => {
        if (call !== "get" || done) return;
        done = true;
        await change(bench, inner);
      },
    });
    await assert.rejects(importBundles({ from, into }), { code: "contended" });
    assert.equal(await new GitStore(into).read(), undefined);
  }
});

test("what cannot be imported is refused before anything is done", async (t) => {
  const into = new MemoryStore();
  await assert.rejects(importBundles({ from: new MemoryStore(), into }), { code: "refused", message: /no bundles/ });
  const several = new MemoryStore();
  const { bench } = await written(t, several);
  await bench.publish(several, "refs/heads/main", "main~1");
  await assert.rejects(importBundles({ from: several, into }), { code: "refused", message: /several bundles/ });
  const nested = new MemoryStore();
  await bench.publish(nested, "refs/heads/d", "main");
  await bench.publish(nested, "refs/heads/d/e", "main");
  await assert.rejects(importBundles({ from: nested, into }), {
    code: "refused",
    message: /both refs\/heads\/d and refs\/heads\/d\/e/,
  });
  const locked = new MemoryStore();
  await written(t, locked);
  await putText(locked, "refs/heads/main/LOCK#.lock");
  await assert.rejects(importBundles({ from: locked, into }), {
    code: "contended",
    message: /refs\/heads\/main since/,
  });
  assert.deepEqual(await keysOf(into), []);
});

test("a bundle that is damaged, or not what it is named after, ends the import with nothing published", async (t) => {
  const [from, into] = [new MemoryStore(), new MemoryStore()];
  const { bench, refs } = await written(t, from);
  const key = `refs/heads/main/${refs.get("refs/heads/main")}.bundle`;
  await putText(from, key, "# v2 git bundle\n\nPACK");
  await assert.rejects(importBundles({ from, into }), { name: "GitError" });
  await from.delete(parseKey(key));
  const other = `${"0".repeat(39)}1`;
  const path = await bench.bundle("main");
  const { readFile } = await import("node:fs/promises");
  await putText(from, `refs/heads/main/${other}.bundle`, (await readFile(path)).toString("latin1"));
  await assert.rejects(importBundles({ from, into }));
  assert.equal(await new GitStore(into).read(), undefined);
});

test("bundles of what no ref reaches any more, or that nobody has imported, are not removed", async (t) => {
  const store = new MemoryStore();
  const { bench } = await written(t, store);
  await importBundles({ from: store, into: store });
  const imported = (await new GitStore(store).read())?.manifest ?? assert.fail();
  const refsWithout = (...names: string[]): Manifest["refs"] =>
    new Map([...imported.refs].filter(([ref]) => !names.includes(ref)));
  // The pack still has the tag, and its commit is in a branch.
  await changed(store, (now) => ({ ...now, refs: refsWithout("refs/tags/v1") }));
  await assert.rejects(removeBundles({ store }), { code: "refused", message: /of refs\/tags\/v1 has what the repo/ });
  await changed(store, (now) => ({ ...now, refs: imported.refs }));
  const older = await bench.publish(store, "refs/heads/main", bench.do("commit-tree", "-m", "other", "main^{tree}"));
  await assert.rejects(removeBundles({ store }), { code: "refused", message: new RegExp(`the bundle ${older} of`) });
  await changed(store, (now) => ({ ...now, refs: new Map() }));
  const discard = new Set([older, ...[...imported.refs.values()].map(({ oid }) => oid)]);
  await assert.rejects(removeBundles({ store, discard }), { code: "refused", message: /all there is/ });
  assert.equal((await bundleKeys(store)).filter((key) => key.endsWith(".bundle")).length, 6);
});

test("of two who import at once one does, and what others have pushed since stays", async (t) => {
  const [from, into] = [new MemoryStore(), new MemoryStore()];
  const { refs } = await written(t, from);
  const oid = refs.get("refs/tags/light") ?? assert.fail();
  const meanwhile = watched(into, {
    before: async (call, [key]) => {
      if (call !== "put" || !String(key).endsWith("manifest.json") || (await new GitStore(into).read()) !== undefined)
        return;
      await importBundles({ from, into });
      await changed(into, (now) => ({ ...now, refs: new Map([...now.refs, ["refs/heads/new", { oid }]]) }));
    },
  });
  await assert.rejects(importBundles({ from, into: meanwhile }), {
    code: "contended",
    message: /somebody else has just imported it/,
  });
  assert.equal((await refsIn(into)).get("refs/heads/new"), oid);
  await assert.rejects(importBundles({ from, into }), { code: "refused", message: /refs\/heads\/new is another/ });
});

test("all that was imported is looked for anew when it is imported again, and not taken from the manifest", async (t) => {
  const store = new MemoryStore();
  await written(t, store);
  await importBundles({ from: store, into: store });
  await changed(store, (now) => ({ ...now, packs: [] }));
  await assert.rejects(importBundles({ from: store, into: store }), { code: "corrupt", message: /is not whole/ });
  await assert.rejects(removeBundles({ store }), { code: "corrupt", message: /is not whole/ });
});

test("what was stored and does not come back as it was is not published", async (t) => {
  const [from, inner] = [new MemoryStore(), new MemoryStore()];
  await written(t, from);
  const into = watched(inner, {
    after: async (call, [key]) => {
      if (call === "put" && String(key).endsWith(".pack")) await putText(inner, String(key), "PACKnothing");
    },
  });
  await assert.rejects(importBundles({ from, into }), (error) => error instanceof Error);
  assert.equal(await new GitStore(inner).read(), undefined);
});

test("an import that was broken off at any change of the store goes through when it is begun again, and leaves no temporary files", async (t) => {
  const temporary = await mkdtemp(join(tmpdir(), "holdall-import-"));
  t.after(() => rm(temporary, { recursive: true, force: true }));
  setVariable(t, "TMPDIR", temporary);
  const from = new MemoryStore();
  const { refs } = await written(t, from);
  for (let nth = 1; ; nth += 1) {
    const inner = new MemoryStore();
    let count = 0;
    const into = watched(inner, {
      before: (call) => {
        if (call === "put" && (count += 1) === nth) throw new StorageError("denied", "you may not write");
      },
    });
    const failed = await importBundles({ from, into }).then(
      () => false,
      () => true,
    );
    await importBundles({ from, into: inner });
    assert.deepEqual(new Set((await refsIn(inner)).values()), new Set(refs.values()));
    assert.deepEqual(
      (await readdir(temporary)).filter((name) => name.startsWith("holdall-bundles-")),
      [],
    );
    if (!failed && count < nth) break;
  }
});

test("a folder that was imported in place is a repository to git when the bundles are gone", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdall-in-place-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const store = new FsStore(folder);
  t.after(() => store.close());
  const { bench, refs } = await written(t, store);
  await putText(store, "HEAD", "refs/heads/feature/a");
  await importBundles({ from: store, into: store });
  await removeBundles({ store });
  const manifest = (await new GitStore(store).read())?.manifest;
  assert.equal(manifest?.head, "refs/heads/feature/a");
  assert.equal(bench.do("--git-dir", folder, "cat-file", "-t", refs.get("refs/heads/main") ?? ""), "commit");
});
