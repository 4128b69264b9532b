import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { everywhere } from "../support/git-remote/everywhere.ts";
import type { Person } from "../support/git-remote/person.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";

const SIX = ["one", "two", "three", "four", "five", "six"];

const depthOf = async (ada: Person, folder: string, revision = "HEAD"): Promise<number> =>
  Number(await ada.git(folder, "rev-list", "--count", revision));

/** How many of the objects that `HEAD` reaches are not in this clone. */
async function missingIn(ada: Person, folder: string, type?: string): Promise<number> {
  const args = ["rev-list", "--objects", "--missing=print", "HEAD"];
  const oids = (await ada.git(folder, ...args))
    .split("\n")
    .flatMap((line) => (line.startsWith("?") ? [line.slice(1)] : []));
  if (type === undefined) return oids.length;
  const types = await ada.feed("work", ["cat-file", "--batch-check=%(objecttype)"], oids);
  return types.split("\n").filter((one) => one === type).length;
}

everywhere({
  async "a clone of the last commit, deeper, and then all of it"({ ada, remote }) {
    await begin(ada, remote, { commits: SIX });
    await ada.git("work", "push", "--quiet", "origin", "main~2:refs/heads/older");
    await ada.clone("copy", remote, "--depth=1");
    assert.equal(await depthOf(ada, "copy"), 1);
    assert.equal(
      await ada.git("copy", "branch", "--remotes", "--list", "origin/older"),
      "",
      "one branch, as git has it",
    );
    await ada.git("copy", "fetch", "--quiet", "--depth=2");
    assert.equal(await depthOf(ada, "copy"), 2);
    await ada.git("copy", "fetch", "--quiet", "--deepen=1");
    assert.equal(await depthOf(ada, "copy"), 3);
    const seven = await ada.commit("work", "seven");
    await ada.git("work", "push", "--quiet", "origin", "main");
    await ada.git("copy", "pull", "--quiet");
    assert.equal(await ada.git("copy", "rev-parse", "HEAD"), seven);
    assert.equal(await depthOf(ada, "copy"), 4);
    await ada.git("copy", "fetch", "--quiet", "--unshallow");
    assert.equal(await depthOf(ada, "copy"), 7);
    assert.equal(await ada.git("copy", "rev-parse", "--is-shallow-repository"), "false");
    await ada.git("copy", "fsck", "--strict");
    await ada.git("copy", "pull", "--quiet");
    assert.deepEqual(await ada.temporaries(), []);
  },

  async "a clone since a time, and one without what another branch has"({ ada, remote }) {
    await ada.init("work", remote);
    for (const [day, message] of SIX.entries()) {
      await ada.write("work", message, message);
      await ada.git("work", "add", ".");
      const env = { GIT_COMMITTER_DATE: `2026-01-0${day + 1}T12:00:00Z` };
      await ada.with(env).git("work", "commit", "--quiet", "-m", message);
    }
    await ada.git("work", "push", "--quiet", "origin", "main", "main~2:refs/heads/older");
    await ada.clone("since", remote, "--shallow-since=2026-01-05T00:00:00Z");
    assert.equal(await depthOf(ada, "since"), 2);
    await ada.clone("without", remote, "--shallow-exclude=older");
    assert.equal(await depthOf(ada, "without"), 2);
  },

  async "a shallow clone pushes what builds on what is there, and not its stump elsewhere"({ ada, remote }) {
    await begin(ada, remote, { commits: SIX.slice(0, 3) });
    await ada.clone("copy", remote, "--depth=1");
    const four = await ada.commit("copy", "four");
    await ada.git("copy", "push", "--quiet");
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), four);
    await ada.git("work", "pull", "--quiet");
    await checkWhole(ada, remote);
    assert.equal(await depthOf(ada, "whole"), 4);
    const elsewhere = { url: remote.url.replace("repository", "other") };
    const refused = await ada.tryGit("copy", "push", elsewhere.url, "main");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /! \[remote rejected\] main -> main \(shallow update not allowed\)/);
    assert.deepEqual([...(await refsOf(ada, elsewhere)).keys()], []);
  },

  async "a clone without the files' contents fetches what it needs when it needs it"({ ada, remote }) {
    await ada.init("work", remote);
    for (const message of SIX) {
      await ada.write("work", "dir/same", `${message}, of the same file\n`);
      await ada.commit("work", message);
    }
    await ada.git("work", "push", "--quiet", "origin", "main");
    await ada.clone("copy", remote, "--filter=blob:none");
    assert.equal(await missingIn(ada, "copy"), 5, "the earlier contents of a file");
    assert.equal(await readFile(ada.path("copy", "dir/same"), "utf8"), "six, of the same file\n");
    assert.equal(await ada.git("copy", "show", "HEAD~3:dir/same"), "three, of the same file");
    assert.equal(await missingIn(ada, "copy"), 4);
    const elsewhere = { url: remote.url.replace("repository", "other") };
    const refused = await ada.tryGit("copy", "push", elsewhere.url, "main");
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /! \[remote rejected\] main -> main \(this partial clone lacks objects that the remote/,
    );
    const seven = await ada.commit("copy", "seven");
    await ada.git("copy", "push", "--quiet", "origin", "main");
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), seven);
    await ada.git("work", "pull", "--quiet", "origin", "main");
    await ada.commit("work", "eight");
    await ada.git("work", "push", "--quiet", "origin", "main");
    await ada.git("copy", "pull", "--quiet");
    assert.equal(await readFile(ada.path("copy", "eight"), "utf8"), "eight\n");
    await ada.git("copy", "log", "-p");
    assert.equal(await missingIn(ada, "copy"), 0);
    await ada.git("copy", "push", "--quiet", elsewhere.url, "main");
    await checkWhole(ada, elsewhere);
    await checkWhole(ada, remote, "all");
  },

  async "a clone without trees, and one of a part of the work tree"({ ada, remote }) {
    await ada.init("work", remote);
    for (const message of SIX.slice(0, 3)) {
      await ada.write("work", `${message}/file`, `${message}\n`);
      await ada.commit("work", `of-${message}`);
    }
    await ada.git("work", "push", "--quiet", "origin", "main");
    await ada.clone("treeless", remote, "--filter=tree:0");
    assert.ok((await missingIn(ada, "treeless", "tree")) > 0);
    assert.match(await ada.git("treeless", "log", "--stat", "--format=%s"), /two\/file/);
    assert.equal(await readFile(ada.path("treeless", "three", "file"), "utf8"), "three\n");
    await ada.clone("sparse", remote, "--filter=blob:none", "--sparse");
    await ada.git("sparse", "sparse-checkout", "init", "--cone");
    await ada.git("sparse", "sparse-checkout", "set", "two");
    assert.deepEqual((await readdir(ada.path("sparse"))).toSorted(), [".git", "of-one", "of-three", "of-two", "two"]);
  },
});
