import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { said } from "../support/run.ts";
import { Server } from "../support/server.ts";

// In pairs: pushed by the first, read by the second.
const PAIRS = [
  ["a/b/c/app", "a/b/c/app.git/info/lfs"],
  ["one/app.git/info/lfs", "one/app"],
  ["two/app.git", "two/app/"],
  ["with space/größe", "with%20space/gr%C3%B6%C3%9Fe.git/info/lfs"],
  ["alone", "alone.git/info/lfs/"],
] as const;

withEachGitLfs("both forms of an address, nested groups included, name the same repository", async (t, gitLfs) => {
  const server = await Server.start(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  for (const [seed, [pushed, read]] of PAIRS.entries()) {
    const remote = await bareRepository(t);
    const work = await ada.init(remote);
    await work.git("config", "lfs.url", encodeURI(server.lfsUrl(pushed)));
    await work.writeSeeded("a.bin", seed, 5000);
    await work.commitAll("First");
    await work.push();

    const copy = await ada.clone(remote, [`lfs.url=${server.lfsUrl(read)}`]);

    assert.deepEqual(await copy.files(), await work.files(), `pushed to ${pushed}, cloned from ${read}`);
  }
});

withEachGitLfs("an object of one repository is not to be had through another", async (t, gitLfs) => {
  const server = await Server.start(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const remote = await bareRepository(t);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  await work.push();
  // A clone without the object, but with the pointer that names it.
  const copy = await ada.clone(remote, ["lfs.fetchexclude=*"]);
  await copy.git("config", "--unset", "lfs.fetchexclude");

  const other = await copy.tryGit("-c", `lfs.url=${server.lfsUrl("team/another")}`, "lfs", "pull");
  assert.notEqual(other.code, 0);
  assert.notDeepEqual(await copy.files(), await work.files());

  // Pushing something of one's own there brings the repository into being, and nothing else into view.
  const mine = await ada.initWithLfs(await bareRepository(t), server.lfsUrl("team/another"));
  await mine.writeSeeded("b.bin", 2, 5000);
  await mine.commitAll("First");
  await mine.push();
  const again = await copy.tryGit("-c", `lfs.url=${server.lfsUrl("team/another")}`, "lfs", "pull");
  assert.notEqual(again.code, 0);
  assert.match(said(again), new RegExp((await work.oids()).get("a.bin") ?? "no oid"));

  await copy.git("lfs", "pull");
  assert.deepEqual(await copy.files(), await work.files());
});
