import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

withEachGitLfs("prune --verify-remote deletes what the server holds, and nothing else", async (t, gitLfs) => {
  const server = await Server.start(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(await bareRepository(t), server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  const old = (await work.oids()).get("a.bin") ?? "";
  await work.writeSeeded("a.bin", 2, 5000);
  await work.commitAll("Second");
  await work.push();
  // By default git-lfs keeps what is a few days old.
  for (const key of ["lfs.fetchrecentrefsdays", "lfs.fetchrecentcommitsdays", "lfs.pruneoffsetdays"]) {
    await work.git("config", key, "0");
  }
  const prune = ["lfs", "prune", "--verify-remote", "--verbose"];

  const elsewhere = await work.tryGit("-c", `lfs.url=${server.lfsUrl("team/another")}`, ...prune);
  assert.notEqual(elsewhere.code, 0, "a repository without the object must not let it be deleted");
  assert(`${elsewhere.stdout}${elsewhere.stderr}`.includes(old));

  const pruned = await work.git(...prune);
  assert.match(pruned.stdout, /1 local object|Deleting objects: 100%/);
  await work.git("checkout", "--quiet", "HEAD^");
  await work.git("lfs", "fsck");
});

withEachGitLfs("fsck finds a damaged object in a clone, and fetch brings it back", async (t, gitLfs) => {
  const server = await Server.start(t);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  await work.push();
  const copy = await ada.clone(remote);
  await copy.git("lfs", "fsck");
  const oid = (await copy.oids()).get("a.bin") ?? "";
  await writeFile(copy.path(`.git/lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`), "damaged");

  const damaged = await copy.tryGit("lfs", "fsck");
  assert.notEqual(damaged.code, 0);
  assert(damaged.stdout.includes(oid) || damaged.stdout.includes("a.bin"), damaged.stdout);

  await copy.git("lfs", "fetch");
  await copy.git("lfs", "fsck");
});
