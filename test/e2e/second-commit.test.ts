import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Proxy } from "../support/proxy.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

withEachGitLfs("a second commit moves only what is new, by pull and by fetch", async (t, gitLfs) => {
  const server = await Server.start(t);
  const line = await Proxy.start(t, server.url);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const ben = await GitUser.create(t, "ben", gitLfs);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  await work.writeSeeded("stays.bin", 1, 300_000);
  await work.writeSeeded("changes.bin", 2, 300_000);
  await work.commitAll("First");
  await work.push();
  const pulls = await ben.clone(remote);
  const fetches = await ben.clone(remote);

  await work.writeSeeded("changes.bin", 3, 400_000);
  await work.writeSeeded("new/one.bin", 4, 500_000);
  await work.commitAll("Second");
  const before = line.exchanges.length;
  await work.push();
  await pulls.git("pull", "--quiet");
  await fetches.git("fetch", "--quiet");
  await fetches.git("lfs", "fetch", "origin", "main", "origin/main");
  const sent = line.exchanges.slice(before);

  assert.deepEqual(await pulls.files(), await work.files());
  assert.equal(total(sent, "uploaded", "PUT"), 900_000);
  assert.equal(total(sent, "downloaded", "GET"), 2 * 900_000, "each clone loads the two new objects, once");

  // Everything is local by now: merging needs no server.
  await server.kill();
  await fetches.git("merge", "--quiet", "--ff-only", "origin/main");
  assert.deepEqual(await fetches.files(), await work.files());
});

function total(exchanges: Proxy["exchanges"], what: "uploaded" | "downloaded", method: string): number {
  return exchanges.filter((exchange) => exchange.method === method).reduce((sum, exchange) => sum + exchange[what], 0);
}
