import assert from "node:assert/strict";
import { cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { GitStore } from "@holdall/git-store";
import { FsStore } from "@holdall/object-store";
import { User } from "../test/user.ts";

/** A user with a work tree `work` of one commit, which is pushed. */
async function pushed(t: TestContext, ...init: readonly string[]): Promise<{ user: User; store: string }> {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store, ...init);
  await user.commit("work", "one");
  await user.git("work", "push", "--quiet", "--set-upstream", "origin", "main");
  return { user, store };
}

const clone = (user: User, store: string, name = "copy", ...args: readonly string[]): Promise<string> =>
  user.git(".", "clone", "--quiet", ...args, `folder::${store}`, name);

const tips = async (user: User, work: string): Promise<string> =>
  await user.git(work, "for-each-ref", "refs/heads", "refs/tags");

for (const format of ["sha1", "sha256"] as const) {
  test(`${format}: what one pushes, another clones, changes and pushes, and the first one pulls`, async (t) => {
    const { user, store } = await pushed(t, `--object-format=${format}`);
    await clone(user, store);
    assert.equal(await user.git("copy", "rev-parse", "--show-object-format"), format);
    await user.commit("copy", "two");
    await user.git("copy", "tag", "-a", "-m", "First", "v1");
    await user.git("copy", "push", "--quiet", "--follow-tags");
    await user.git("work", "pull", "--quiet", "--tags");
    assert.equal(await tips(user, "work"), await tips(user, "copy"));
    await user.git("work", "fsck", "--strict");
    await user.git("copy", "fsck", "--strict");
    assert.equal(
      (await readdir(join(user.folder, "work", ".git", "objects", "pack"))).some((name) => name.endsWith(".keep")),
      false,
    );
  });
}

test("the folder is what a web server needs, and a copy of it is a bare repository", async (t) => {
  const { user, store } = await pushed(t);
  await user.git("work", "tag", "-a", "-m", "First", "v1");
  await user.git("work", "push", "--quiet", "origin", "v1", "main:refs/heads/other", "HEAD:refs/notes/x");
  await cp(store, join(user.folder, "bare.git"), { recursive: true });
  assert.equal(await user.git("bare.git", "rev-parse", "--is-bare-repository"), "true");
  await user.git("bare.git", "fsck", "--strict", "--full");
  assert.match(await readFile(join(store, "info/refs"), "utf8"), /\trefs\/tags\/v1\^\{\}\n/);
  assert.match(await readFile(join(store, "objects/info/packs"), "utf8"), /^P pack-[0-9a-f]{40}\.pack\n/);
});

test("an empty repository can be listed and cloned, and the first branch that is pushed is its head", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  assert.equal((await user.try(".", "ls-remote", `folder::${store}`)).out, "");
  await user.init("work", store);
  await user.git("work", "checkout", "--quiet", "-b", "trunk");
  await user.commit("work", "one");
  await user.git("work", "push", "--quiet", "origin", "HEAD:refs/heads/aaa", "trunk");
  await clone(user, store);
  assert.equal(await user.git("copy", "symbolic-ref", "HEAD"), "refs/heads/trunk");
});

test("a push that is behind is refused in git's own words, and goes through by force", async (t) => {
  const { user, store } = await pushed(t);
  await clone(user, store);
  await user.commit("copy", "theirs");
  await user.git("copy", "push", "--quiet");
  await user.commit("work", "mine");
  const refused = await user.try("work", "push", "origin", "main");
  assert.equal(refused.code, 1);
  assert.match(refused.err, /! \[rejected\] +main -> main \(fetch first\)/);
  await user.git("work", "push", "--quiet", "--force", "origin", "main");
  await user.git("copy", "fetch", "--quiet");
  assert.equal(await user.git("copy", "rev-parse", "origin/main"), await user.git("work", "rev-parse", "main"));
});

test("a lease that is out of date is stale, and one that holds moves the branch", async (t) => {
  const { user, store } = await pushed(t);
  await clone(user, store);
  const theirs = await user.commit("copy", "theirs");
  await user.git("copy", "push", "--quiet");
  await user.git("work", "commit", "--quiet", "--amend", "--message", "other");
  const stale = await user.try("work", "push", "--force-with-lease", "origin", "main");
  assert.match(stale.err, /\(stale info\)/);
  await user.git("work", "fetch", "--quiet");
  await user.git("work", "push", "--quiet", `--force-with-lease=main:${theirs}`, "origin", "main");
});

test("an atomic push moves all refs or none", async (t) => {
  const { user, store } = await pushed(t);
  await clone(user, store);
  await user.commit("copy", "theirs");
  await user.git("copy", "push", "--quiet");
  await user.commit("work", "mine");
  const refused = await user.try("work", "push", "--atomic", "origin", "main", "main:refs/heads/new");
  assert.equal(refused.code, 1);
  assert.doesNotMatch(await user.git("work", "ls-remote", "origin"), /refs\/heads\/new/);
  const partly = await user.try("work", "push", "origin", "main", "main:refs/heads/new");
  assert.equal(partly.code, 1);
  assert.match(await user.git("work", "ls-remote", "origin"), /refs\/heads\/new/);
});

test("branches are deleted, but not the one that clones begin with", async (t) => {
  const { user } = await pushed(t);
  await user.git("work", "push", "--quiet", "origin", "main:refs/heads/gone");
  await user.git("work", "push", "--quiet", "--delete", "origin", "gone");
  assert.doesNotMatch(await user.git("work", "ls-remote", "origin"), /gone/);
  const refused = await user.try("work", "push", "origin", ":main");
  assert.match(refused.err, /refusing to delete the current branch/);
});

test("a ref below another is refused, and nothing is pushed dry", async (t) => {
  const { user } = await pushed(t);
  const refused = await user.try("work", "push", "origin", "main:refs/heads/main/below");
  assert.match(refused.err, /refs\/heads\/main is in the way/);
  await user.git("work", "push", "--quiet", "--dry-run", "origin", "main:refs/heads/dry");
  assert.doesNotMatch(await user.git("work", "ls-remote", "origin"), /dry/);
});

test("a mirror has every ref, and a tag does not move", async (t) => {
  const { user } = await pushed(t);
  await user.git("work", "tag", "v1");
  await user.git("work", "notes", "add", "-m", "a note");
  await user.git("work", "push", "--quiet", "--mirror", "origin");
  const refs = await user.git("work", "ls-remote", "origin");
  assert.match(refs, /refs\/tags\/v1/);
  assert.match(refs, /refs\/notes\/commits/);
  await user.commit("work", "two");
  await user.git("work", "tag", "--force", "v1");
  assert.match((await user.try("work", "push", "origin", "v1")).err, /already exists/);
});

test("a shallow clone may push what builds on what the remote has, and not its cut history elsewhere", async (t) => {
  const { user, store } = await pushed(t);
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main");
  await user.git(".", "clone", "--quiet", "--depth=1", `file://${join(user.folder, "work")}`, "shallow");
  await user.git("shallow", "remote", "add", "store", `folder::${store}`);
  await user.commit("shallow", "three");
  await user.git("shallow", "push", "--quiet", "store", "main");
  await user.git("shallow", "remote", "add", "elsewhere", `folder::${join(user.folder, "other")}`);
  const refused = await user.try("shallow", "push", "elsewhere", "main");
  assert.match(refused.err, /shallow update not allowed/);
  await user.git("work", "pull", "--quiet", "origin", "main");
  await user.git("work", "fsck", "--strict");
});

test("who has pushed does not fetch that again", async (t) => {
  const { user } = await pushed(t);
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main");
  await user.git("work", "fetch", "--quiet", "origin", "main:refs/heads/other");
  assert.deepEqual(await readdir(join(user.folder, "work", ".git", "objects", "pack")), []);
});

test("a clone that was repacked fetches what is new, and no more", async (t) => {
  const { user, store } = await pushed(t);
  await clone(user, store);
  await user.git("copy", "repack", "-adq");
  const packs = async (): Promise<number> =>
    (await readdir(join(user.folder, "copy", ".git", "objects", "pack"))).filter((name) => name.endsWith(".pack"))
      .length;
  assert.equal(await packs(), 1);
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main");
  await user.git("copy", "pull", "--quiet");
  assert.equal(await packs(), 2);
});

test("what git has dropped from a clone, because no branch of it reached it, comes again when one does", async (t) => {
  const { user, store } = await pushed(t);
  await clone(user, store, "copy", "--single-branch");
  await user.git("work", "checkout", "--quiet", "-b", "side");
  await user.commit("work", "aside");
  await user.git("work", "push", "--quiet", "origin", "side");
  await user.git("work", "checkout", "--quiet", "main");
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main");
  await user.git("copy", "pull", "--quiet");
  await user.git("copy", "repack", "-adq");
  await user.git("copy", "prune", "--expire=now");
  await user.git("work", "merge", "--quiet", "--no-edit", "side");
  await user.git("work", "push", "--quiet", "origin", "main");
  await user.git("copy", "pull", "--quiet");
  await user.git("copy", "fsck", "--strict");
});

test("of many who push at once, each who is told ok is in the history, which needs no repair", async (t) => {
  const { user, store } = await pushed(t);
  const people = Array.from({ length: 6 }, (_, index) => `person${index}`);
  await Promise.all(people.map((name) => clone(user, store, name)));
  const winners: string[] = [];
  await Promise.all(
    people.map(async (name) => {
      const commit = await user.commit(name, name);
      const own = await user.try(name, "push", "--quiet", "origin", `main:refs/heads/${name}`);
      assert.equal(own.code, 0, own.err);
      const shared = await user.try(name, "push", "--quiet", "origin", "main");
      if (shared.code === 0) winners.push(commit);
      else assert.match(shared.err, /fetch first/);
    }),
  );
  assert.equal(winners.length, 1);
  const { manifest } = (await new GitStore(new FsStore(store)).read()) ?? assert.fail();
  assert.equal(manifest.refs.size, 7);
  assert.equal(manifest.refs.get("refs/heads/main")?.oid, winners[0]);
  await clone(user, store, "last");
  await user.git("last", "fsck", "--strict");
});
