import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { FoundService } from "../../scripts/services.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const CONFIG = { access: [{ who: "user:ada", repositories: "**", right: "write" }] };

/** A server where Ada, who may write everywhere, has pushed `team/app`. */
async function adasServer(t: TestContext, gitLfs: FoundService): Promise<{ server: Server; remote: string }> {
  const server = await Server.start(t, { config: CONFIG });
  await server.addUser("ada", "ada's password");
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  await ada.signIn("ada", "ada's password");
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  await work.push();
  return { server, remote };
}

withEachGitLfs("a token for reading is a password that clones and cannot push", async (t, gitLfs) => {
  const { server, remote } = await adasServer(t, gitLfs);
  const robot = await GitUser.create(t, "robot", gitLfs);
  await robot.signIn("ada", await server.createToken("ada", "read", "team/*"));

  const copy = await robot.clone(remote);
  await copy.git("lfs", "fsck");
  await copy.writeSeeded("b.bin", 2, 5000);
  await copy.commitAll("A robot's");
  const refused = await copy.tryPush();

  assert.notEqual(refused.code, 0);
  const token = await server.createToken("ada", "read", "team/*");
  const answer = await server.user(`ada:${token}`).askBatch("team/app", "upload", []);
  assert.equal(answer.status, 403);
  const { message } = JSON.parse(answer.body.toString()) as { message: string };
  assert(refused.stderr.includes(message), `the user is not told "${message}" but ${refused.stderr}`);
});

withEachGitLfs("a token opens the repositories of its pattern and no other", async (t, gitLfs) => {
  const { server, remote } = await adasServer(t, gitLfs);
  const robot = await GitUser.create(t, "robot", gitLfs);
  await robot.signIn("ada", await server.createToken("ada", "write", "elsewhere/**"));

  assert.notEqual((await robot.tryClone(remote)).code, 0);

  const work = await robot.initWithLfs(await bareRepository(t), server.lfsUrl("elsewhere/deep/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  await work.push();
});

withEachGitLfs("a revoked or expired token is refused, and the command ends", async (t, gitLfs) => {
  const { server, remote } = await adasServer(t, gitLfs);
  const robot = await GitUser.create(t, "robot", gitLfs);
  const token = await server.createToken("ada", "read", "**");
  await robot.signIn("ada", token);
  await robot.clone(remote);

  const list = await server.holdall(["token", "list", "--json"]);
  const { tokens } = JSON.parse(list.stdout) as { tokens: { id: string }[] };
  assert.equal(tokens.length, 1);
  assert(!list.stdout.includes(token), "a list of tokens shows no secret");
  await server.holdall(["token", "revoke", tokens[0]?.id ?? ""]);
  assert.notEqual((await robot.tryClone(remote, { timeoutSeconds: 60 })).code, 0);

  const short = await server.createToken("ada", "read", "**", ["--expires", "5s"]);
  await robot.signIn("ada", short);
  const user = server.user(`ada:${short}`);
  assert.equal((await user.askBatch("team/app", "download", [])).status, 200);
  while ((await user.askBatch("team/app", "download", [])).status === 200) await delay(100);
  assert.equal((await user.askBatch("team/app", "download", [])).status, 401);
  assert.notEqual((await robot.tryClone(remote, { timeoutSeconds: 60 })).code, 0);
});
