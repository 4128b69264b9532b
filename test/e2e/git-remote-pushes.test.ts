import assert from "node:assert/strict";
import { GitStore, type RefRule } from "@holdall/git-store";
import { parseKey } from "@holdall/object-store";
import { everywhere } from "../support/git-remote/everywhere.ts";
import type { Person } from "../support/git-remote/person.ts";
import { type Remote, storeOf } from "../support/git-remote/places.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";
import { said } from "../support/run.ts";

/** A push that does not go through, for the reason that git itself gives. */
async function refused(ada: Person, args: readonly string[], why: RegExp, folder = "work"): Promise<void> {
  const push = await ada.tryGit(folder, "push", ...args);
  assert.equal(push.code, 1, said(push));
  assert.match(push.stderr, why);
}

/** A branch that somebody else has moved on since `work` last looked. @returns what it is now */
async function movedByBen(ada: Person, remote: Remote): Promise<string> {
  await ada.clone("bens", remote);
  const theirs = await ada.commit("bens", "theirs");
  await ada.git("bens", "push", "--quiet");
  return theirs;
}

async function protect(remote: Remote, rules: readonly RefRule[]): Promise<void> {
  const store = await storeOf(remote);
  const git = new GitStore(store);
  await git.commit(
    { log: { what: "rules" }, make: (now) => now && { next: { ...now, rules }, updates: [] } },
    await git.read(),
  );
  await store.close();
}

everywhere({
  async "who is behind is told to fetch first, and by force goes ahead"({ ada, remote }) {
    await begin(ada, remote);
    const theirs = await movedByBen(ada, remote);
    const mine = await ada.commit("work", "mine");
    await refused(ada, ["origin", "main"], /! \[rejected\] +main -> main \(fetch first\)/);
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), theirs);
    await ada.git("work", "fetch", "--quiet");
    await refused(ada, ["origin", "main"], /! \[rejected\] +main -> main \(non-fast-forward\)/);
    assert.match((await ada.tryGit("work", "push", "--force", "origin", "main")).stderr, /\+ .*\(forced update\)/);
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), mine);
    assert.match((await ada.tryGit("bens", "pull", "--ff-only")).stderr, /\(forced update\)/);
    await checkWhole(ada, remote);
  },

  async "leases: with a value and without, stale and held, and only of what was seen"({ ada, remote }) {
    const [one = ""] = await begin(ada, remote);
    const theirs = await movedByBen(ada, remote);
    await ada.git("work", "commit", "--quiet", "--amend", "--message", "mine");
    await refused(ada, ["--force-with-lease", "origin", "main"], /\[rejected\] +main -> main \(stale info\)/);
    await refused(ada, [`--force-with-lease=main:${one}`, "origin", "main"], /\(stale info\)/);
    await refused(ada, ["--force-with-lease=new:", "origin", "main", "main:new"], /\(fetch first\)/);
    await refused(ada, [`--force-with-lease=main:`, "origin", "main"], /\(stale info\)/);
    await ada.git("work", "fetch", "--quiet");
    // It was fetched, but never looked at.
    const unseen = ["--force-with-lease", "--force-if-includes", "origin", "main"];
    await refused(ada, unseen, /\(remote ref updated since checkout\)/);
    await ada.git("work", "push", "--quiet", `--force-with-lease=main:${theirs}`, "origin", "main");
    await ada.git("work", "commit", "--quiet", "--amend", "--message", "again");
    await ada.git("work", "push", "--quiet", "--force-with-lease", "--force-if-includes", "origin", "main");
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), await ada.git("work", "rev-parse", "main"));
  },

  async "all refs or none, and dry none at all"({ ada, remote }) {
    await begin(ada, remote);
    await movedByBen(ada, remote);
    await ada.commit("work", "mine");
    const both = ["origin", "main", "main:refs/heads/new"];
    await refused(ada, ["--atomic", ...both], /! \[remote rejected\] main -> new \(atomic push failed\)/);
    assert.equal((await refsOf(ada, remote)).has("refs/heads/new"), false);
    const dry = await ada.tryGit("work", "push", "--dry-run", "origin", "main:refs/heads/new", "--tags");
    assert.match(dry.stderr, /\* \[new branch\] +main -> new/);
    assert.equal((await refsOf(ada, remote)).has("refs/heads/new"), false);
    await refused(ada, both, /\* \[new branch\] +main -> new\n[^]*! \[rejected\] +main -> main \(fetch first\)/);
    assert.equal((await refsOf(ada, remote)).has("refs/heads/new"), true);
  },

  async "a mirror, again and with what is gone here"({ ada, remote }) {
    await begin(ada, remote);
    // By its URL, so that nothing is noted here of what is there.
    await ada.git("work", "remote", "remove", "origin");
    for (const ref of ["refs/heads/a", "refs/heads/dir/b", "refs/tags/v1", "refs/own/thing"]) {
      await ada.git("work", "update-ref", ref, "main");
    }
    const here = async (): Promise<string[]> =>
      (await ada.git("work", "for-each-ref", "--format=%(refname) %(objectname)")).split("\n");
    const there = async (): Promise<string[]> =>
      [...(await refsOf(ada, remote))].flatMap(([ref, oid]) => (ref === "HEAD" ? [] : [`${ref} ${oid}`]));
    await ada.git("work", "push", "--quiet", "--mirror", remote.url);
    assert.deepEqual(await there(), await here());
    assert.match((await ada.tryGit("work", "push", "--mirror", remote.url)).stderr, /Everything up-to-date/);
    await ada.git("work", "branch", "--quiet", "-D", "a");
    await ada.git("work", "branch", "--quiet", "--move", "dir/b", "dir");
    await ada.git("work", "commit", "--quiet", "--amend", "--message", "another");
    await ada.git("work", "tag", "--force", "v1");
    await ada.git("work", "push", "--quiet", "--mirror", remote.url);
    assert.deepEqual(await there(), await here());
    await checkWhole(ada, remote);
  },

  async "deletions, objects by their names, and tags that stay where they are"({ ada, remote }) {
    const [one = "", two = ""] = await begin(ada, remote, { commits: ["one", "two"] });
    await ada.git("work", "push", "--quiet", "origin", `${one}:refs/heads/from-one`, `${two}^{tree}:refs/trees/main`);
    await ada.git("work", "tag", "v1", one);
    await ada.git("work", "push", "--quiet", "origin", "v1");
    await ada.git("work", "tag", "--force", "v1", two);
    await refused(ada, ["origin", "v1"], /! \[rejected\] +v1 -> v1 \(already exists\)/);
    await ada.git("work", "push", "--quiet", "--force", "origin", "v1");
    await ada.git("work", "push", "--quiet", "--delete", "origin", "from-one", "refs/trees/main");
    assert.deepEqual([...(await refsOf(ada, remote)).keys()], ["HEAD", "refs/heads/main", "refs/tags/v1"]);
    const absent = await ada.tryGit("work", "push", "--delete", "origin", "nothing");
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /unable to delete 'nothing': remote ref does not exist/);
    await refused(
      ada,
      ["--delete", "origin", "main"],
      /! \[remote rejected\] main \(refusing to delete the current branch\)/,
    );
  },

  async "a branch that would be a folder of another's is refused, unless that goes"({ ada, remote }) {
    const [one = ""] = await begin(ada, remote);
    await ada.git("work", "push", "--quiet", "origin", `${one}:refs/heads/a/b`);
    await refused(ada, ["origin", `${one}:refs/heads/a`], /! \[remote rejected\] .*refs\/heads\/a\/b is in the way/);
    await refused(ada, ["origin", `${one}:refs/heads/main/below`], /refs\/heads\/main is in the way/);
    await refused(ada, ["origin", `${one}:refs/heads/x`, `${one}:refs/heads/x/y`], /is in the way/);
    await ada.git("work", "push", "--quiet", "origin", ":a/b", `${one}:refs/heads/a`);
    await ada.git("work", "push", "--quiet", "--atomic", "origin", `${one}:refs/heads/a/b`, ":a");
    assert.deepEqual(
      [...(await refsOf(ada, remote)).keys()],
      ["HEAD", "refs/heads/a/b", "refs/heads/main", "refs/heads/x"],
    );
  },

  async "what rules protect can neither be deleted nor rewritten, by whatever force"({ ada, remote }) {
    await begin(ada, remote, { commits: ["one", "two"] });
    await ada.git("work", "push", "--quiet", "origin", "main:release/1/x", "main:free");
    await protect(remote, [
      { refs: "refs/heads/main", deny: ["force"] },
      { refs: "refs/heads/release/**", deny: ["force", "delete"] },
    ]);
    const before = await refsOf(ada, remote);
    for (const ref of ["main", "release/1/x"]) {
      const spec = `main~1:${ref}`;
      await refused(ada, ["--force", "origin", spec], /! \[remote rejected\] .* \(protected against force\)/);
      const lease = `--force-with-lease=${ref}:${before.get(`refs/heads/${ref}`)}`;
      await refused(ada, [lease, "origin", spec], /\(protected against force\)/);
    }
    await refused(ada, ["--delete", "origin", "release/1/x"], /\(protected against deletion\)/);
    assert.deepEqual(await refsOf(ada, remote), before);
    await ada.git("work", "push", "--quiet", "--force", "origin", "main~1:free");
    await ada.commit("work", "three");
    await ada.git("work", "push", "--quiet", "origin", "main", "main:release/1/x");
  },

  async "what is said with a push is in the log, word for word"({ ada, remote }) {
    await begin(ada, remote);
    const words = ['text with "quotes" and spaces', "ticket=12", "für dich: \\ and\ttab"];
    const two = await ada.commit("work", "two");
    await ada.git("work", "push", "--quiet", ...words.flatMap((word) => ["-o", word]), "origin", "main");
    const store = await storeOf(remote);
    const { body } = await store.get(parseKey("holdall/manifest.json"));
    const manifest = JSON.parse(Buffer.concat(await Array.fromAsync(body)).toString()) as { log: unknown[] };
    await store.close();
    assert.partialDeepStrictEqual(manifest.log.at(-1), {
      generation: 2,
      what: "push",
      by: "Ada <ada@example.invalid>",
      options: words,
      updates: [{ ref: "refs/heads/main", to: two }],
    });
  },
});
