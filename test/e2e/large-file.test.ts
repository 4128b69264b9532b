import assert from "node:assert/strict";
import { rm, stat, writeFile } from "node:fs/promises";
import { seededChunks, sha256OfFile } from "../support/content.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { requireRoom, withGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const GIB = 1024 ** 3;
const SIZE = 2 * GIB;
// The server's copy, the client's own, and the one in the work tree.
const ROOM = 3.5 * SIZE;

withGitLfs("git-lfs", "a file of 2 GiB is pushed and cloned", async (t, gitLfs) => {
  if (!(await requireRoom(t, ROOM))) return;
  const server = await Server.start(t);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/large"));
  await writeFile(work.path("large.bin"), seededChunks(1, SIZE));
  await work.git("add", "--all");
  // Only one copy per side is kept, so that the test fits on small machines.
  await rm(work.path("large.bin"));
  await work.git("commit", "--quiet", "--message", "Large");
  const oid = (await work.oids()).get("large.bin");
  await work.push();
  await rm(work.folder, { recursive: true });

  const copy = await ada.clone(remote);

  assert.equal((await stat(copy.path("large.bin"))).size, SIZE);
  assert.equal(await sha256OfFile(copy.path("large.bin")), oid);
});
