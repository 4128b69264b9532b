import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { seededBytes, sha256 } from "../support/content.ts";
import type { Person } from "../support/git-remote/person.ts";
import { PLACE_NAMES, Places, type Remote } from "../support/git-remote/places.ts";
import { bareRepository } from "../support/git-user.ts";
import { lfsPerson } from "../support/lfs-agent.ts";
import { withEachGitLfs, withGitLfs } from "../support/require.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const places = Places.shared();

const LARGE = seededBytes(1, 3_000_000);
const SMALL = seededBytes(2, 1000);

/** A repository `work` with two LFS files, pushed to the remote. */
async function pushed(person: Person, remote: Pick<Remote, "url">): Promise<void> {
  await person.init("work", remote);
  await person.git("work", "lfs", "track", "*.bin");
  await person.write("work", "large.bin", LARGE);
  await person.write("work", "folder/small.bin", SMALL);
  await person.commit("work", "readme.txt");
  await person.git("work", "push", "--quiet", "origin", "main");
}

async function assertWhole(person: Person, folder: string): Promise<void> {
  assert.deepEqual(await readFile(person.path(folder, "large.bin")), LARGE);
  assert.deepEqual(await readFile(person.path(folder, "folder/small.bin")), SMALL);
}

for (const place of PLACE_NAMES) {
  withEachGitLfs(`${place}: after one global install, push and clone bring LFS files along`, async (t, gitLfs) => {
    const remote = await places.remote(t, place);
    if (remote === undefined) return;
    const ada = await lfsPerson(t, gitLfs, remote.env);
    await ada.git(".", "lfs-holdall", "install", "--global");
    await pushed(ada, remote);

    const bob = await lfsPerson(t, gitLfs, remote.env);
    await bob.git(".", "lfs-holdall", "install", "--global");
    await bob.clone("copy", remote);
    await assertWhole(bob, "copy");
    assert.equal(await bob.git("copy", "lfs", "fsck"), "Git LFS fsck OK");
    assert.equal(await bob.git("copy", "status", "--porcelain"), "");
  });
}

withEachGitLfs("work trees, submodules, bare repositories and folders of one's choosing", async (t, gitLfs) => {
  const remote = await places.remote(t, "local disk");
  assert.ok(remote !== undefined);
  const ada = await lfsPerson(t, gitLfs, remote.env);
  await ada.git(".", "lfs-holdall", "install", "--global");
  await pushed(ada, remote);

  await ada.git(".", "clone", "--quiet", "--bare", remote.url, "bare.git");
  await ada.git("bare.git", "lfs", "fetch", "--all");
  assert.deepEqual(await objectsIn(ada.path("bare.git", "lfs")), [sha256(LARGE), sha256(SMALL)].sort());
  await ada.git("bare.git", "worktree", "add", "--quiet", "../tree", "main");
  await assertWhole(ada, "tree");

  await ada.git(".", "clone", "--quiet", "--no-checkout", remote.url, "copy");
  await ada.git("copy", "config", "lfs.storage", "elsewhere");
  await ada.git("copy", "worktree", "add", "--quiet", "--detach", "../second", "main");
  await assertWhole(ada, "second");
  assert.deepEqual(await objectsIn(ada.path("copy", ".git", "elsewhere")), [sha256(LARGE), sha256(SMALL)].sort());

  const outer = await places.remote(t, "local disk");
  assert.ok(outer !== undefined);
  await ada.init("outer", outer);
  await ada.git("outer", "-c", "protocol.holdall.allow=always", "submodule", "--quiet", "add", remote.url, "inner");
  await assertWhole(ada, "outer/inner");
  await ada.commit("outer", "submodule");
  await ada.git("outer", "push", "--quiet", "origin", "main");
  await ada.git(
    ".",
    "-c",
    "protocol.holdall.allow=always",
    "clone",
    "--quiet",
    "--recurse-submodules",
    outer.url,
    "again",
  );
  await assertWhole(ada, "again/inner");
  await ada.write("again/inner", "third.bin", LARGE.subarray(1));
  await ada.commit("again/inner", "third.txt");
  await ada.git("again/inner", "push", "--quiet", "origin", "HEAD:main");
  await ada.git("work", "pull", "--quiet", "origin", "main");
  assert.deepEqual(await readFile(ada.path("work", "third.bin")), LARGE.subarray(1));
  for (const folder of ["bare.git/lfs", "copy/.git/elsewhere", "outer/.git/modules/inner/lfs"]) {
    assert.deepEqual(await readdir(ada.path(folder, "tmp")), [], folder);
  }
});

withEachGitLfs(
  "a URL in the place of a remote, where `origin` is a store too; a store in .lfsconfig, for a remote that is none",
  async (t, gitLfs) => {
    const [remote, objects] = [await places.remote(t, "local disk"), await places.remote(t, "local disk")];
    assert.ok(remote !== undefined && objects !== undefined);
    const ada = await lfsPerson(t, gitLfs, remote.env);
    await ada.git(".", "lfs-holdall", "install", "--global");
    await pushed(ada, objects);
    await ada.git("work", "push", "--quiet", remote.url, "main");
    await ada.clone("copy", remote);
    await assertWhole(ada, "copy");

    await ada.git("work", "remote", "set-url", "origin", await bareRepository(t));
    await ada.git("work", "config", "-f", ".lfsconfig", "lfs.url", objects.url);
    await ada.write("work", "third.bin", LARGE.subarray(1));
    await ada.commit("work", "lfsconfig");
    await ada.git("work", "push", "--quiet", "origin", "main");
    await ada.git(".", "clone", "--quiet", await ada.git("work", "remote", "get-url", "origin"), "other");
    await assertWhole(ada, "other");
    assert.deepEqual(await readFile(ada.path("other", "third.bin")), LARGE.subarray(1));
  },
);

/** The oids of the objects that a git-lfs has. */
async function objectsIn(folder: string): Promise<string[]> {
  const files = await readdir(join(folder, "objects"), { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .map((file) => file.name)
    .sort();
}

withGitLfs("git-lfs-newest", "git-lfs does not look for a host of the name of the scheme", async (t, gitLfs) => {
  const remote = await places.remote(t, "S3");
  assert.ok(remote !== undefined);
  const log = join(await temporaryFolder(t, "ssh"), "log");
  const ada = await lfsPerson(t, gitLfs, { ...remote.env, GIT_SSH_COMMAND: `echo >>'${log}'; false` });
  await ada.git(".", "lfs-holdall", "install", "--global");
  await pushed(ada, remote);
  await ada.clone("copy", remote);
  await assertWhole(ada, "copy");
  assert.equal(existsSync(log), false);
});
