import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { parseKey, type ObjectKey } from "@holdall/object-store";
import type { Person } from "../support/git-remote/person.ts";
import { Places } from "../support/git-remote/places.ts";
import { gitS3, keysBelow, ORIGINALS, twoPeople, type OriginalVersion, type Two } from "../support/git-remote-s3.ts";

const places = Places.shared();
const two = (t: TestContext, version: OriginalVersion, prefix?: string): Promise<Two | undefined> =>
  twoPeople(t, places, version, prefix);
const VERSIONS = Object.keys(ORIGINALS) as OriginalVersion[];

const refsOf = async (person: Person, folder: string): Promise<string> =>
  await person.git(
    folder,
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    "refs/heads",
    "refs/tags",
    "refs/notes",
  );

/** Everything that one pushes: branches with slashes, both kinds of tags, notes. */
async function writeAll(person: Person, folder: string): Promise<void> {
  await person.commit(folder, "one");
  await person.git(folder, "branch", "feature/a/b");
  await person.git(folder, "tag", "light");
  await person.commit(folder, "two");
  await person.git(folder, "tag", "-a", "-m", "First", "v1");
  await person.git(folder, "notes", "add", "-m", "a note");
  for (const ref of ["main", "feature/a/b", "light", "v1", "refs/notes/commits"]) {
    await person.git(folder, "push", "--quiet", "origin", ref);
  }
}

for (const version of VERSIONS) {
  const story = (title: string, run: (two: Two, t: TestContext) => Promise<void>): void => {
    test(`${title} (git-remote-s3 ${version})`, async (t) => {
      const both = await two(t, version);
      if (both !== undefined) await run(both, t);
    });
  };

  story("what the original has written is listed, cloned, fetched and added to by ours", async (both) => {
    const { ours, theirs, remote } = both;
    await theirs.init("work", remote);
    await writeAll(theirs, "work");
    await ours.git(".", "clone", "--quiet", "--mirror", remote.url, "copy.git");
    assert.equal(await refsOf(ours, "copy.git"), await refsOf(theirs, "work"));
    await ours.git("copy.git", "fsck", "--strict");
    await ours.clone("copy", remote);
    assert.equal(await ours.git("copy", "symbolic-ref", "HEAD"), "refs/heads/main");

    const third = await theirs.commit("work", "three");
    await theirs.git("work", "push", "--quiet", "origin", "main");
    await ours.git("copy", "pull", "--quiet");
    assert.equal(await ours.git("copy", "rev-parse", "HEAD"), third);

    const fourth = await ours.commit("copy", "four");
    await ours.git("copy", "push", "--quiet", "origin", "main", "main:refs/heads/new");
    await theirs.git("work", "fetch", "--quiet");
    assert.equal(await theirs.git("work", "rev-parse", "origin/main", "origin/new"), `${fourth}\n${fourth}`);
  });

  story("what ours has written is cloned, fetched, added to and deleted from by the original", async (both) => {
    const { ours, theirs, remote, store } = both;
    await ours.init("work", { url: `${remote.url}?layout=bundles` });
    await writeAll(ours, "work");
    await theirs.clone("copy", remote);
    assert.equal(await theirs.git("copy", "symbolic-ref", "HEAD"), "refs/heads/main");
    await theirs.git(
      "copy",
      "fetch",
      "--quiet",
      "origin",
      "refs/heads/*:refs/heads/*",
      "refs/notes/*:refs/notes/*",
      "--tags",
      "--update-head-ok",
    );
    assert.equal(await refsOf(theirs, "copy"), await refsOf(ours, "work"));
    await theirs.git("copy", "fsck", "--strict");

    const third = await theirs.commit("copy", "three");
    await theirs.git("copy", "push", "--quiet", "origin", "main", "main:refs/heads/new");
    await ours.git("work", "pull", "--quiet", "origin", "main");
    assert.equal(await ours.git("work", "rev-parse", "HEAD"), third);
    const refused = await ours.tryGit("work", "push", "origin", "HEAD~1:refs/heads/new");
    assert.match(refused.stderr, /non-fast-forward|fetch first/);

    if (version === "0.1.20") return; // It could not delete anything.
    await theirs.git("copy", "push", "--quiet", "origin", ":new", ":feature/a/b");
    assert.doesNotMatch(await ours.git("work", "ls-remote"), /new|feature/);
    assert.deepEqual(
      (await keysBelow(store, "")).filter((key) => /new|feature/.test(key)),
      [],
    );
  });

  story("turns of both in one branch lose nothing, and the one who is behind is refused", async (both) => {
    const { ours, theirs, remote, store } = both;
    await theirs.init("work", remote);
    await theirs.commit("work", "start");
    await theirs.git("work", "push", "--quiet", "origin", "main");
    await ours.clone("copy", remote);
    for (let turn = 1; turn <= 3; turn += 1) {
      await theirs.commit("work", `theirs-${turn}`);
      await theirs.git("work", "push", "--quiet", "origin", "main");
      await ours.commit("copy", `ours-${turn}`);
      assert.match((await ours.tryGit("copy", "push", "origin", "main")).stderr, /fetch first/);
      await ours.git("copy", "pull", "--quiet", "--rebase");
      await ours.git("copy", "push", "--quiet", "origin", "main");
      await theirs.commit("work", `late-${turn}`);
      assert.match((await theirs.tryGit("work", "push", "origin", "main")).stderr, /rejected/);
      await theirs.git("work", "pull", "--quiet", "--rebase", "origin", "main");
      await theirs.git("work", "push", "--quiet", "origin", "main");
      await ours.git("copy", "pull", "--quiet");
    }
    assert.equal(await ours.git("copy", "rev-list", "--count", "HEAD"), "10");
    assert.equal((await keysBelow(store, "refs/heads/main/")).length, 1);
  });

  story("a branch that the original protects is neither forced nor deleted by ours", async (both) => {
    const { ours, theirs, remote } = both;
    await theirs.init("work", remote);
    await theirs.commit("work", "one");
    await theirs.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/kept");
    const protect = await gitS3(theirs, "work", ["protect", "origin", "kept"]);
    assert.match(protect.stdout, /now protected/, protect.stderr);
    await ours.clone("copy", remote);
    await ours.git("copy", "commit", "--quiet", "--amend", "-m", "other");
    assert.match(
      (await ours.tryGit("copy", "push", "--force", "origin", "main:kept")).stderr,
      /protected against force/,
    );
    assert.match((await ours.tryGit("copy", "push", "origin", ":kept")).stderr, /protected against deletion/);
    await gitS3(theirs, "work", ["unprotect", "origin", "kept"]);
    await ours.git("copy", "push", "--quiet", "--force", "origin", "main:kept");
  });

  story(
    "two heads of a branch are told of, and the next push that has both in its history leaves one",
    async (both) => {
      const { ours, theirs, remote, store } = both;
      await theirs.init("work", remote);
      const first = await theirs.commit("work", "one");
      await theirs.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/aside");
      await theirs.commit("work", "two");
      await theirs.git("work", "push", "--quiet", "origin", "main");
      // As two leave it who push at once, one of them without a lock.
      const bundle = (ref: string): ObjectKey => parseKey(`refs/heads/${ref}/${first}.bundle`);
      await store.copy(bundle("aside"), bundle("main"));
      assert.match(
        (await theirs.tryGit("work", "push", "origin", "main:refs/heads/main")).stderr,
        /matches more than one/,
      );
      const seen = await ours.tryGit(".", "ls-remote", remote.url);
      assert.match(seen.stderr, /refs\/heads\/main has several bundles/);
      await ours.clone("copy", remote);
      await ours.git("copy", "pull", "--quiet", ours.path("work"), "main");
      const third = await ours.commit("copy", "three");
      await ours.git("copy", "push", "--quiet", "origin", "main");
      assert.deepEqual(await keysBelow(store, "refs/heads/main/"), [`refs/heads/main/${third}.bundle`]);
      await theirs.git("work", "pull", "--quiet", "origin", "main");
      await theirs.commit("work", "four");
      await theirs.git("work", "push", "--quiet", "origin", "main");
    },
  );
}

test("a repository below a prefix of several parts is shared (git-remote-s3 0.4.2)", async (t) => {
  const both = await two(t, "0.4.2", "deep/er/repository");
  if (both === undefined) return;
  const { ours, theirs, remote } = both;
  await theirs.init("work", remote);
  await theirs.commit("work", "one");
  await theirs.git("work", "push", "--quiet", "origin", "main");
  await ours.clone("copy", remote);
  const second = await ours.commit("copy", "two");
  await ours.git("copy", "push", "--quiet");
  await theirs.git("work", "pull", "--quiet", "origin", "main");
  assert.equal(await theirs.git("work", "rev-parse", "HEAD"), second);
});
