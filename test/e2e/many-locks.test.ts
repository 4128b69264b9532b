import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const LOCKS = 250;

withEachGitLfs("a list of locks longer than a page is complete", async (t, gitLfs) => {
  const server = await Server.start(t, { config: { access: [{ who: "users", repositories: "**", right: "write" }] } });
  await server.addUser("ada", "ada's password");
  const token = await server.createToken("ada", "write", "team/app");
  const user = server.user(`ada:${token}`);
  const paths = Array.from({ length: LOCKS }, (_, n) => `art/${String(n).padStart(3, "0")}.bin`);
  for (const path of paths) assert.equal((await user.post("team/app/locks", { path })).status, 201);

  const ada = await GitUser.create(t, "ada", gitLfs);
  await ada.signIn("ada", token);
  const work = await ada.initWithLfs(await bareRepository(t), server.lfsUrl("team/app"));

  const all = JSON.parse((await work.git("lfs", "locks", "--json")).stdout) as { path: string }[];
  assert.deepEqual(all.map(({ path }) => path).sort(), paths);
  const verified = await work.git("lfs", "locks", "--verify", "--json");
  const { ours, theirs } = JSON.parse(verified.stdout) as { ours: { path: string }[]; theirs: unknown[] | null };
  assert.deepEqual(ours.map(({ path }) => path).sort(), paths);
  assert.deepEqual(theirs ?? [], []);
  const some = JSON.parse((await work.git("lfs", "locks", "--json", "--limit", "120")).stdout) as unknown[];
  assert.equal(some.length, 120);
});
