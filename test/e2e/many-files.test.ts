import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const FILES = 3000;

withGitLfs("git-lfs-newest", "3,000 small files are pushed and cloned", async (t, gitLfs) => {
  const server = await Server.start(t);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/many"));
  for (let seed = 0; seed < FILES; seed += 1) {
    await work.writeSeeded(`${seed % 30}/${seed}.bin`, seed, 200 + (seed % 7) * 1000);
  }
  await work.commitAll("Many");
  await work.push();

  const copy = await ada.clone(remote);

  const files = await copy.files();
  assert.equal(Object.keys(files).filter((name) => name.endsWith(".bin")).length, FILES);
  assert.deepEqual(files, await work.files());
});
