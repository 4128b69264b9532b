import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Person } from "../support/git-remote/person.ts";
import { Places, storeOf, type Remote } from "../support/git-remote/places.ts";
import { gitS3, ORIGINALS, withOriginal, type OriginalVersion } from "../support/git-remote-s3.ts";

const places = Places.shared();
const VERSIONS = Object.keys(ORIGINALS) as OriginalVersion[];

interface Two {
  /** Has our programs. */
  readonly ours: Person;
  /** The same, with the original's. */
  readonly theirs: Person;
  /** Without a layout: what is there decides. */
  readonly remote: Remote;
  readonly keys: () => Promise<string[]>;
}

/** Two people at one bucket. */
async function two(t: TestContext, version: OriginalVersion, prefix = "repository"): Promise<Two | undefined> {
  const place = await places.remote(t, "S3");
  if (place === undefined) return undefined;
  const remote = { ...place, url: place.url.replace("some/repository", prefix) };
  const ours = await Person.create(t, { env: remote.env });
  const theirs = await withOriginal(t, ours, version);
  if (theirs === undefined) return undefined;
  const store = await storeOf(remote);
  t.after(() => store.close());
  const keys = async (): Promise<string[]> => (await Array.fromAsync(store.list(""))).map(({ key }) => key);
  return { ours, theirs, remote, keys };
}

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
    const { ours, theirs, remote, keys } = both;
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
      (await keys()).filter((key) => /new|feature/.test(key)),
      [],
    );
  });

  story("turns of both in one branch lose nothing, and the one who is behind is refused", async (both) => {
    const { ours, theirs, remote, keys } = both;
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
    assert.equal((await keys()).filter((key) => key.startsWith("refs/heads/main/")).length, 1);
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

  story("of a branch that the original left two heads of, ours takes the newer, and says so", async (both) => {
    const { ours, theirs, remote } = both;
    await theirs.init("work", remote);
    const first = await theirs.commit("work", "one");
    await theirs.git("work", "push", "--quiet", "origin", "main");
    const store = await storeOf(remote);
    const { body, size } = await store.get(
      (await Array.fromAsync(store.list("refs/heads/main/")))[0]?.key ?? assert.fail(),
    );
    const bytes = Buffer.concat(await Array.fromAsync(body));
    const second = await theirs.commit("work", "two");
    await theirs.git("work", "push", "--quiet", "origin", "main");
    const [{ key } = assert.fail()] = await Array.fromAsync(store.list("refs/heads/main/"));
    // As one who pushed from behind, without a lock, would leave it; and then the newer once more.
    const newer = await store.get(key);
    const last = Buffer.concat(await Array.fromAsync(newer.body));
    const { parseKey } = await import("@holdall/object-store");
    const put = async (oid: string, what: Buffer): Promise<unknown> =>
      await store.put(
        parseKey(`refs/heads/main/${oid}.bundle`),
        (async function* () {
          yield what;
        })(),
        { size: what.length },
      );
    assert.equal(size, bytes.length);
    await put(first, bytes);
    await store.delete(key);
    await put(second, last);
    const { stdout, stderr } = await ours.tryGit(".", "ls-remote", remote.url, "main");
    assert.match(stderr, /several bundles/);
    assert.match(stdout, new RegExp(first > second ? "." : second));
    await store.close();
  });
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
