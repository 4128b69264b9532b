import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

withEachGitLfs("the first push creates the repository, and lock checking stays on", async (t, gitLfs) => {
  const server = await Server.start(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const lfsUrl = server.lfsUrl("team/new");
  const work = await ada.initWithLfs(await bareRepository(t), lfsUrl);
  await work.git("config", `lfs.${lfsUrl}.locksverify`, "true");
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");

  const pushed = await work.tryPush();

  assert.equal(pushed.code, 0, pushed.stderr);
  // A client that is told 404 here writes "false" and never asks again.
  assert.equal((await work.git("config", `lfs.${lfsUrl}.locksverify`)).stdout.trim(), "true");
  await work.git("lfs", "lock", "a.bin");
  await work.writeSeeded("a.bin", 2, 5000);
  await work.commitAll("Second");
  await work.push();
});
