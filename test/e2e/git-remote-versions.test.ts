import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { Person } from "../support/git-remote/person.ts";
import { Places, type Remote } from "../support/git-remote/places.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";
import { requireService } from "../support/require.ts";

const places = Places.shared();

interface Scene {
  /** Somebody with that git. */
  readonly ada: Person;
  /** Somebody with the git of the machine. */
  readonly ben: Person;
  readonly remote: Remote;
}

const STORIES: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  async "what one git pushes the other clones, changes and pushes, both ways"({ ada, ben, remote }) {
    await begin(ada, remote);
    await ben.clone("copy", remote);
    const two = await ben.commit("copy", "two");
    await ben.git("copy", "tag", "-a", "-m", "Second", "v2");
    await ben.git("copy", "push", "--quiet", "--follow-tags");
    await ada.git("work", "pull", "--quiet");
    assert.equal(await ada.git("work", "rev-parse", "v2^{commit}"), two);
    await ada.clone("clone", remote);
    await ada.commit("clone", "three");
    await ada.git("clone", "push", "--quiet", "--atomic", "origin", "main", "main:refs/heads/new");
    await checkWhole(ada, remote);
    await checkWhole(ben, remote);
  },

  async "an empty repository, a deletion, and a push dry"({ ada, remote }) {
    assert.deepEqual([...(await refsOf(ada, remote))], []);
    await begin(ada, remote);
    await ada.git("work", "push", "--quiet", "origin", "main:refs/heads/gone");
    await ada.git("work", "push", "--quiet", "--dry-run", "origin", "main:refs/heads/dry");
    await ada.git("work", "push", "--quiet", "--delete", "origin", "gone");
    assert.deepEqual([...(await refsOf(ada, remote)).keys()], ["HEAD", "refs/heads/main"]);
  },

  async "fetch first, stale and held leases, force"({ ada, ben, remote }) {
    await begin(ada, remote);
    await ben.clone("copy", remote);
    const theirs = await ben.commit("copy", "theirs");
    await ben.git("copy", "push", "--quiet");
    await ada.git("work", "commit", "--quiet", "--amend", "--message", "mine");
    assert.match(
      (await ada.tryGit("work", "push", "origin", "main")).stderr,
      /\[rejected\] +main -> main \(fetch first\)/,
    );
    const stale = await ada.tryGit("work", "push", "--force-with-lease", "origin", "main");
    assert.match(stale.stderr, /\[rejected\] +main -> main \(stale info\)/);
    await ada.git("work", "push", "--quiet", `--force-with-lease=main:${theirs}`, "origin", "main");
    assert.equal((await refsOf(ben, remote)).get("refs/heads/main"), await ada.git("work", "rev-parse", "main"));
  },

  async "the last commits, and then all"({ ada, remote }) {
    await begin(ada, remote, { commits: ["one", "two", "three"] });
    await ada.clone("copy", remote, "--depth=1");
    assert.equal(await ada.git("copy", "rev-list", "--count", "HEAD"), "1");
    await ada.git("copy", "fetch", "--quiet", "--unshallow");
    assert.equal(await ada.git("copy", "rev-list", "--count", "HEAD"), "3");
    await ada.git("copy", "fsck", "--strict");
  },

  async "no contents before they are needed"({ ada, remote }) {
    await ada.init("work", remote);
    for (const text of ["old\n", "new\n"]) {
      await ada.write("work", "file", text);
      await ada.commit("work", text.trim());
    }
    await ada.git("work", "push", "--quiet", "origin", "main");
    await ada.clone("copy", remote, "--filter=blob:none");
    assert.equal(await readFile(ada.path("copy", "file"), "utf8"), "new\n");
    assert.equal(await ada.git("copy", "show", "HEAD~1:file"), "old");
    await ada.commit("copy", "more");
    await ada.git("copy", "push", "--quiet", "origin", "main");
    await checkWhole(ada, remote);
  },

  async "objects that are named by SHA-256"({ ada, ben, remote }) {
    await begin(ada, remote, { init: ["--object-format=sha256"] });
    await ben.clone("copy", remote);
    await ben.commit("copy", "two");
    await ben.git("copy", "push", "--quiet");
    await ada.git("work", "pull", "--quiet");
    await ada.git("work", "fsck", "--strict");
  },

  async "packs that are merged on the way"({ ada, ben, remote }) {
    await begin(ada, remote);
    for (let at = 0; at < 11; at += 1) {
      await ada.commit("work", `more-${at}`);
      assert.equal(await ada.git("work", "push", "--quiet"), "");
    }
    await checkWhole(ben, remote);
  },
};

describe("git", { concurrency: 3 }, () => {
  for (const name of ["git-oldest", "git-newest"] as const) {
    for (const [title, story] of Object.entries(STORIES)) {
      test(`${name}: ${title}`, async (t: TestContext) => {
        const git = await requireService(t, name);
        const remote = await places.remote(t, "S3");
        if (git === undefined || remote === undefined) return;
        const ada = await Person.create(t, { ...remote, git });
        assert.match(await ada.git(".", "--version"), new RegExp(`git version ${git.version.replaceAll(".", "\\.")}`));
        await story({ ada, ben: await Person.create(t, remote), remote });
      });
    }
  }
});
