import assert from "node:assert/strict";
import { GitHost } from "../support/git-host.ts";
import { GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

withEachGitLfs("behind a Git host, LFS needs no setting: its address follows from the remote's", async (t, gitLfs) => {
  let holdall = "";
  const host = await GitHost.start(t, () => holdall);
  // Behind a proxy anyone may be asking, so free access has to be given in words.
  const config = {
    trustedProxies: ["127.0.0.1", "::1"],
    access: [{ who: "anyone", repositories: "**", right: "write" }],
    allowAnonymousWrite: true,
  };
  const server = await Server.start(t, { config });
  holdall = server.url;
  const remote = await host.createRepository("team/sub/app");
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.init(remote);
  await work.writeSeeded("a.bin", 1, 300_000);
  await work.commitAll("First");
  await work.push();
  await work.git("lfs", "lock", "a.bin");

  const copy = await ada.clone(remote);

  assert.deepEqual(await copy.files(), await work.files());
  assert.match((await copy.git("lfs", "locks")).stdout, /a\.bin/);
  const direct = await ada.clone(remote, [`lfs.url=${server.lfsUrl("team/sub/app")}`]);
  assert.deepEqual(await direct.files(), await work.files(), "with and without the host it is one repository");
});

withEachGitLfs("a public URL leads all transfers to the Git host, whoever forwards them", async (t, gitLfs) => {
  let holdall = "";
  const host = await GitHost.start(t, () => holdall);
  const server = await Server.start(t, { config: { publicUrl: host.url } });
  holdall = server.url;
  const remote = await host.createRepository("team/app");
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.init(remote);
  await work.writeSeeded("a.bin", 1, 300_000);
  await work.commitAll("First");
  await work.push();

  const copy = await ada.clone(remote);

  assert.deepEqual(await copy.files(), await work.files());
});
