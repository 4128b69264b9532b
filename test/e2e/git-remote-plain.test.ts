import assert from "node:assert/strict";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { everywhere } from "../support/git-remote/everywhere.ts";
import { Person } from "../support/git-remote/person.ts";
import { Places } from "../support/git-remote/places.ts";
import { copyDown, serveFiles } from "../support/git-remote/plain-copy.ts";
import { begin, refsOf } from "../support/git-remote/work.ts";
import { CHECKOUT } from "../support/holdall.ts";
import { runWell } from "../support/run.ts";

/** What whoever wants to work in a copy is told to do. */
async function documentedLines(): Promise<string> {
  const docs = await readFile(join(CHECKOUT, "docs/git-remote.md"), "utf8");
  const [, lines] = /^## Without Holdall$.*?^```sh\n(.*?)^```$/ms.exec(docs) ?? [];
  return lines ?? assert.fail("docs/git-remote.md tells what to do with a copy");
}

everywhere({
  async "the files, copied down, are a bare repository that git finds in order, clones and pushes to"({ ada, remote }) {
    await begin(ada, remote);
    await ada.git("work", "tag", "-a", "-m", "First", "v1");
    const three = await (await ada.commit("work", "two"), ada.commit("work", "three"));
    await ada.git("work", "push", "--quiet", "origin", "v1", "main:refs/heads/other", "main:refs/notes/x");
    await ada.git("work", "push", "--quiet", "origin", "main~1:main");
    const refs = await refsOf(ada, remote);
    await mkdir(ada.path("bare.git"));
    await copyDown(remote, ada.path("bare.git"));
    await ada.git("bare.git", "fsck", "--strict", "--full");
    assert.equal(await ada.git("bare.git", "rev-parse", "--is-bare-repository"), "true");
    const there = [...(await refsOf(ada, { url: ada.path("bare.git") }))];
    // Of a repository on disk git also tells what annotated tags come to.
    assert.deepEqual(new Map(there.filter(([ref]) => !ref.endsWith("^{}"))), refs);
    await ada.git(".", "clone", "--quiet", "bare.git", "copy");
    assert.equal(await ada.git("copy", "rev-parse", "origin/other"), three);
    // Where the copy is the store, git would undo what it does not know of.
    const push = await ada.tryGit("work", "push", ada.path("bare.git"), "main");
    assert.match(push.stderr, /deny updating a hidden ref/);
    const packs = await readdir(ada.path("bare.git", "objects", "pack"));
    await ada.git("bare.git", "gc", "--quiet", "--prune=now");
    assert.deepEqual(await readdir(ada.path("bare.git", "objects", "pack")), packs);
    await runWell("sh", ["-c", await documentedLines()], { cwd: ada.path("bare.git"), env: ada.env });
    await ada.git("work", "push", "--quiet", ada.path("bare.git"), "main");
    await ada.git("bare.git", "gc", "--quiet", "--prune=now");
    assert.notDeepEqual(await readdir(ada.path("bare.git", "objects", "pack")), packs);
    await ada.git("bare.git", "fsck", "--strict", "--full");
  },
});

const places = Places.shared();

test("a web server that only has files is cloned from and fetched from, while others push", async (t) => {
  const remote = (await places.remote(t, "local disk")) ?? assert.fail();
  const ada = await Person.create(t, remote);
  await begin(ada, remote);
  await ada.git("work", "tag", "-a", "-m", "First", "v1");
  await ada.git("work", "push", "--quiet", "origin", "v1", "main:refs/heads/other");
  const url = await serveFiles(t, fileURLToPath(remote.url.replace("holdall::", "")));
  await ada.git(".", "clone", "--quiet", url, "first");
  assert.equal(await readFile(ada.path("first", "one"), "utf8"), "one\n");
  assert.equal(await ada.git("first", "rev-parse", "v1"), await ada.git("work", "rev-parse", "v1"));

  const pushes = { areOver: false };
  const pushing = (async () => {
    // So many that packs are merged meanwhile.
    for (let at = 0; at < 14; at += 1) {
      await ada.commit("work", `more-${at}`);
      await ada.git("work", "push", "--quiet");
    }
    pushes.areOver = true;
  })();
  let clones = 0;
  while (!pushes.areOver) {
    const name = `during-${(clones += 1)}`;
    await ada.git(".", "clone", "--quiet", url, name);
    await ada.git(name, "fsck", "--strict");
    await ada.git("first", "pull", "--quiet");
  }
  await pushing;
  t.diagnostic(`${clones} clones`);
  assert.ok(clones > 1);
  await ada.git("first", "pull", "--quiet");
  assert.equal(await ada.git("first", "rev-parse", "main"), await ada.git("work", "rev-parse", "main"));
});
