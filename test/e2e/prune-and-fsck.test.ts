import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { said } from "../support/run.ts";
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
  const current = (await work.oids()).get("a.bin") ?? "";
  await work.push();
  // By default git-lfs keeps what is a few days old.
  for (const key of ["lfs.fetchrecentrefsdays", "lfs.fetchrecentcommitsdays", "lfs.pruneoffsetdays"]) {
    await work.git("config", key, "0");
  }
  const prune = ["lfs", "prune", "--verify-remote"];

  const elsewhere = await work.tryGit("-c", `lfs.url=${server.lfsUrl("team/another")}`, ...prune);
  assert.notEqual(elsewhere.code, 0, "a repository without the object must not let it be deleted");
  assert(said(elsewhere).includes(old));
  assert(existsSync(work.localObject(old)));

  await work.git(...prune);
  assert(!existsSync(work.localObject(old)));
  assert(existsSync(work.localObject(current)), "what is checked out stays");
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
  await writeFile(copy.localObject(oid), "damaged");

  const damaged = await copy.tryGit("lfs", "fsck");
  assert.notEqual(damaged.code, 0);
  assert(damaged.stdout.includes(oid) || damaged.stdout.includes("a.bin"), damaged.stdout);

  await copy.git("lfs", "fetch");
  await copy.git("lfs", "fsck");
});
