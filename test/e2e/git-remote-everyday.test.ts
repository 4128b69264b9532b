import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { everywhere } from "../support/git-remote/everywhere.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";

everywhere({
  async "what one pushes another clones, changes and pushes, and the first one pulls"({ ada, remote }) {
    await begin(ada, remote, { commits: ["one", "two"] });
    await ada.clone("copy", remote);
    assert.equal(await ada.git("copy", "rev-parse", "--abbrev-ref", "HEAD@{upstream}"), "origin/main");
    const three = await ada.commit("copy", "three");
    await ada.git("copy", "push", "--quiet");
    assert.match(await ada.git("work", "pull", "--ff-only"), /Fast-forward/);
    assert.equal(await ada.git("work", "rev-parse", "main"), three);
    assert.deepEqual(
      [...(await refsOf(ada, remote))],
      [
        ["HEAD", three],
        ["refs/heads/main", three],
      ],
    );
    assert.match(await ada.git("work", "remote", "show", "origin"), /HEAD branch: main\n/);
    await checkWhole(ada, remote);
  },

  async "branches, tags of all kinds, notes, and refs of any name"({ ada, remote }) {
    await begin(ada, remote);
    const branches = Array.from({ length: 40 }, (_, index) => `refs/heads/topic/${index}`);
    for (const message of ["two", "three"]) await ada.commit("work", message);
    await ada.git("work", "tag", "light", "main~1");
    await ada.git("work", "tag", "-a", "-m", "First", "v1", "main~2");
    await ada.git("work", "tag", "-a", "-m", "Of a tag", "nested", "v1");
    await ada.git("work", "tag", "of-a-tree", "main^{tree}");
    await ada.git("work", "tag", "-a", "-m", "Of a blob", "of-a-blob", "main:one");
    await ada.git("work", "notes", "add", "-m", "A note", "main");
    await ada.git("work", "push", "--quiet", "origin", ...branches.map((ref, at) => `main~${at % 3}:${ref}`));
    await ada.git("work", "push", "--quiet", "--tags", "origin");
    await ada.git("work", "push", "--quiet", "origin", "refs/notes/*:refs/notes/*", "main:refs/für/jeden/☃");
    const there = await refsOf(ada, remote);
    const here = await ada.git("work", "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags", "refs/notes");
    for (const line of here.split("\n")) {
      const [oid, ref = ""] = line.split(" ");
      assert.equal(there.get(ref), oid, ref);
    }
    assert.equal([...there.keys()].filter((ref) => branches.includes(ref)).length, 40);
    assert.ok(there.has("refs/für/jeden/☃"));
    await checkWhole(ada, remote);
    assert.equal(await ada.git("whole", "rev-parse", "nested^{commit}"), await ada.git("work", "rev-parse", "main~2"));
    assert.equal(await ada.git("whole", "notes", "show", await ada.git("work", "rev-parse", "main")), "A note");
  },

  async "tags go along with the commits that they are of, when that is asked for"({ ada, remote }) {
    await begin(ada, remote);
    await ada.clone("copy", remote);
    const two = await ada.commit("work", "two");
    await ada.git("work", "tag", "-a", "-m", "Second", "v2");
    await ada.git("work", "tag", "light");
    await ada.git("work", "push", "--quiet", "--follow-tags");
    assert.deepEqual([...(await refsOf(ada, remote)).keys()], ["HEAD", "refs/heads/main", "refs/tags/v2"]);
    await ada.git("copy", "pull", "--quiet");
    assert.equal(await ada.git("copy", "rev-parse", "v2^{commit}"), two);
    await ada.git("copy", "fetch", "--quiet", "--prune", "--prune-tags", "origin");
  },

  async "nothing, an empty clone, a tag alone, and then a branch of another name"({ ada, remote }) {
    assert.deepEqual([...(await refsOf(ada, remote))], []);
    const empty = await ada.tryGit(".", "clone", remote.url, "copy");
    assert.deepEqual(
      [empty.code, /warning: You appear to have cloned an empty repository/.test(empty.stderr)],
      [0, true],
    );
    await ada.git("copy", "fetch", "--quiet");
    await ada.init("work", remote);
    await ada.git("work", "checkout", "--quiet", "-b", "trunk");
    const one = await ada.commit("work", "one");
    await ada.git("work", "tag", "v1");
    await ada.git("work", "push", "--quiet", "origin", "v1");
    assert.deepEqual([...(await refsOf(ada, remote))], [["refs/tags/v1", one]]);
    // Of a branch that is not there yet a helper cannot tell git: told so, it would leave a clone without HEAD.
    await ada.clone("unborn", remote);
    assert.match(await ada.git("unborn", "status"), /No commits yet/);
    await ada.git("work", "push", "--quiet", "origin", "trunk");
    await ada.clone("born", remote);
    assert.equal(await ada.git("born", "symbolic-ref", "HEAD"), "refs/heads/trunk");
  },

  async "a repository whose objects are named by SHA-256"({ ada, remote }) {
    await begin(ada, remote, { init: ["--object-format=sha256"] });
    await ada.clone("copy", remote);
    assert.equal(await ada.git("copy", "rev-parse", "--show-object-format"), "sha256");
    await ada.commit("copy", "two");
    await ada.git("copy", "push", "--quiet");
    await ada.git("work", "pull", "--quiet");
    assert.equal((await ada.git("work", "rev-parse", "main")).length, 64);
    await checkWhole(ada, remote);
    await ada.init("other", remote);
    await ada.commit("other", "elsewhere");
    const refused = await ada.tryGit("other", "push", "origin", "main:other");
    assert.equal(refused.code === 0, false);
    assert.match(refused.stderr, /sha256/);
  },

  async "submodules, and more than one work tree"({ ada, remote }) {
    await begin(ada, remote);
    const [scheme = ""] = remote.url.split(":");
    await ada.git(".", "config", "--global", `protocol.${scheme}.allow`, "always");
    await ada.git(".", "init", "--quiet", "outer");
    await ada.git("outer", "submodule", "--quiet", "add", remote.url, "inner");
    await ada.git("outer", "commit", "--quiet", "-m", "With a submodule");
    await ada.git(".", "clone", "--quiet", "--recurse-submodules", "outer", "again");
    assert.equal(await readFile(ada.path("again", "inner", "one"), "utf8"), "one\n");
    await ada.git("work", "worktree", "add", "--quiet", "-b", "side", "../side");
    const two = await ada.commit("side", "two");
    await ada.git("side", "push", "--quiet", "origin", "side");
    await ada.git(ada.path("again", "inner").slice(ada.home.length + 1), "fetch", "--quiet", "origin", "side");
    assert.equal((await refsOf(ada, remote)).get("refs/heads/side"), two);
    const three = await ada.commit("work", "three");
    await ada.git("work", "push", "--quiet");
    await ada.git("side", "fetch", "--quiet");
    assert.equal(await ada.git("side", "rev-parse", "origin/main"), three);
  },
});
