import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose, importBundles, planRepairs, removeBundles, repair } from "@holdall/git-bundles";
import { parseKey } from "@holdall/object-store";
import { Places } from "../support/git-remote/places.ts";
import { gitS3, keysBelow, ORIGINALS, twoPeople, type OriginalVersion } from "../support/git-remote-s3.ts";

const places = Places.shared();

for (const version of Object.keys(ORIGINALS) as OriginalVersion[]) {
  test(`what git-remote-s3 ${version} has written is imported in place, and goes on where it was`, async (t) => {
    const both = await twoPeople(t, places, version);
    if (both === undefined) return;
    const { ours, theirs, remote, store } = both;
    await theirs.init("work", remote);
    await theirs.commit("work", "one");
    await theirs.git("work", "tag", "-a", "-m", "First", "v1");
    await theirs.git("work", "push", "--quiet", "origin", "main", "v1", "main:refs/heads/feature/a");
    const protect = await gitS3(theirs, "work", ["protect", "origin", "main"]);
    assert.match(protect.stdout, /protected/, protect.stderr);
    await ours.clone("copy", remote);
    const before = await ours.git("copy", "ls-remote");

    await importBundles({ from: store, into: store });
    assert.equal(await ours.git("copy", "ls-remote"), before);
    const second = await ours.commit("copy", "two");
    await ours.git("copy", "push", "--quiet", "origin", "main");
    await ours.git("copy", "commit", "--quiet", "--amend", "-m", "other");
    assert.match((await ours.tryGit("copy", "push", "--force", "origin", "main")).stderr, /protected/);

    // Whoever has not moved over yet sees what there was, and what they push is not lost.
    const late = await theirs.commit("work", "late");
    await theirs.git("work", "push", "--quiet", "origin", "main:refs/heads/late");
    await assert.rejects(removeBundles({ store }), new RegExp(late));
    await ours.git("copy", "push", "--quiet", "origin", `${second}:refs/heads/kept`);
    await ours.git("copy", "pull", "--quiet", "--no-rebase", ours.path("work"), "main");
    await ours.git("copy", "push", "--quiet", "origin", "HEAD:refs/heads/late");
    await removeBundles({ store });
    assert.deepEqual(await keysBelow(store, "refs/"), ["refs/holdall.lock"]);
    await ours.clone("last", remote, "--branch=late");
    await ours.git("last", "fsck", "--strict");
  });
}

test("what its doctor would ask about is repaired as it would, and git-remote-s3 0.4.2 goes on", async (t) => {
  const both = await twoPeople(t, places, "0.4.2");
  if (both === undefined) return;
  const { theirs, remote, store } = both;
  await theirs.init("work", remote);
  const first = await theirs.commit("work", "one");
  await theirs.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/aside");
  const second = await theirs.commit("work", "two");
  await theirs.git("work", "push", "--quiet", "origin", "main");
  await store.copy(parseKey(`refs/heads/aside/${first}.bundle`), parseKey(`refs/heads/main/${first}.bundle`));
  await store.delete(parseKey("HEAD"));
  const third = await theirs.commit("work", "three");
  assert.match(
    (await theirs.tryGit("work", "push", "origin", "main")).stderr,
    /matches more than one|multiple bundles/,
  );

  const findings = await diagnose(store);
  assert.deepEqual(findings.map(({ kind }) => kind).toSorted(), ["dangling-head", "several-bundles"]);
  const plan = planRepairs(findings).find(({ kind }) => kind === "keep-bundle");
  assert.equal(plan?.kind, "keep-bundle");
  const { moved } = await repair(store, { ...plan, keep: second });
  for (const other of planRepairs(findings)) if (other.kind !== "keep-bundle") await repair(store, other);
  assert.deepEqual(
    moved.map(({ oid }) => oid),
    [first],
  );
  assert.deepEqual(await diagnose(store), []);

  await theirs.clone("copy", remote);
  assert.equal(
    await theirs.git("copy", "rev-parse", "HEAD", moved[0]?.ref.replace("refs/heads", "origin") ?? ""),
    `${second}\n${first}`,
  );
  await theirs.git("work", "push", "--quiet", "origin", "main", `:${moved[0]?.ref}`);
  await theirs.git("copy", "pull", "--quiet");
  assert.equal(await theirs.git("copy", "rev-parse", "HEAD"), third);
  const doctor = await gitS3(theirs, "work", ["doctor", "origin", "main"]);
  assert.doesNotMatch(doctor.stdout, /Multiple refs/);
});
