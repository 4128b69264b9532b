import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { said } from "../support/run.ts";
import { Server } from "../support/server.ts";

withEachGitLfs("an object that the server has lost is brought back by whoever still has it", async (t, gitLfs) => {
  const server = await Server.start(t);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.writeSeeded("b.bin", 2, 5000);
  await work.commitAll("First");
  await work.push();
  const oid = (await work.oids()).get("a.bin") ?? "";
  await rm(join(server.data, "store/objects", oid.slice(0, 2), oid.slice(2, 4), oid));

  const failed = await (await GitUser.create(t, "ben", gitLfs)).tryClone(remote);
  assert.notEqual(failed.code, 0);
  const advice = `git lfs push --object-id origin ${oid}`;
  assert(said(failed).includes(advice), said(failed));
  assert.equal(
    server.logged("object damaged or missing in the store").length,
    1,
    "asked for once, not until all tries are used up",
  );
  // By default git-lfs keeps what is a few days old.
  for (const key of ["lfs.fetchrecentrefsdays", "lfs.fetchrecentcommitsdays", "lfs.pruneoffsetdays"]) {
    await work.git("config", key, "0");
  }
  await work.writeSeeded("a.bin", 3, 5000);
  await work.commitAll("Second");
  await work.push();
  await work.tryGit("lfs", "prune", "--verify-remote");
  assert(existsSync(work.localObject(oid)), "nobody is told that this copy may go");

  await work.git(...advice.split(" ").slice(1));

  const cloned = await (await GitUser.create(t, "cem", gitLfs)).clone(remote);
  await cloned.git("checkout", "--quiet", "HEAD^");
  await cloned.git("lfs", "fsck");
});
