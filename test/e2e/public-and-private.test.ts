import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const CONFIG = {
  access: [
    { who: "anyone", repositories: "public/*", right: "read" },
    { who: "user:ada", repositories: "**", right: "write" },
  ],
};

interface World {
  readonly server: Server;
  /** Git remotes whose LFS files Ada has pushed. */
  readonly publicRemote: string;
  readonly privateRemote: string;
  readonly files: Record<string, string>;
}

/** Ada may write everywhere, Ben has an account and no right, and anyone may read `public/*`. */
async function world(t: TestContext, gitLfs: FoundService): Promise<World> {
  const server = await Server.start(t, { config: CONFIG });
  await server.addUser("ada", "ada's password");
  await server.addUser("ben", "ben's password");
  const ada = await GitUser.create(t, "ada", gitLfs);
  await ada.signIn("ada", "ada's password");
  const publish = async (repository: string): Promise<{ remote: string; files: Record<string, string> }> => {
    const remote = await bareRepository(t);
    const work = await ada.initWithLfs(remote, server.lfsUrl(repository));
    await work.writeSeeded("a.bin", 1, 5000);
    await work.write(".lfsconfig.note", Buffer.from("the same in both\n"));
    await work.commitAll("First");
    await work.push();
    const { ".lfsconfig": _, ...files } = await work.files();
    return { remote, files };
  };
  const { remote: publicRemote, files } = await publish("public/app");
  const { remote: privateRemote } = await publish("private/app");
  return { server, publicRemote, privateRemote, files };
}

withEachGitLfs("anyone clones a public repository; a private one asks who is there", async (t, gitLfs) => {
  const { publicRemote, privateRemote, server, files } = await world(t, gitLfs);
  const stranger = await GitUser.create(t, "stranger", gitLfs);

  const { ".lfsconfig": _, ...cloned } = await (await stranger.clone(publicRemote)).files();
  assert.deepEqual(cloned, files);

  const refused = await stranger.tryClone(privateRemote);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /could not read Username|[Cc]redentials/);
  const challenge = await server.user().askBatch("private/app", "download", []);
  assert.equal(challenge.status, 401);
  assert.match(String(challenge.headers["lfs-authenticate"]), /^Basic realm=/);
  const unknown = await server.user().askBatch("private/none", "download", []);
  assert.equal(unknown.status, 401, "what does not exist looks the same");

  const copy = await stranger.clone(publicRemote);
  await copy.writeSeeded("b.bin", 2, 5000);
  await copy.commitAll("A stranger's");
  assert.notEqual((await copy.tryPush()).code, 0, "reading is not writing");
});

withEachGitLfs("a wrong password ends the command instead of asking for ever", async (t, gitLfs) => {
  const { privateRemote, server } = await world(t, gitLfs);

  const forgetful = await GitUser.create(t, "forgetful", gitLfs);
  await forgetful.storeCredentials(server.url, "ada", "not ada's password");
  const forgotten = await forgetful.tryClone(privateRemote, { timeoutSeconds: 60 });
  assert.notEqual(forgotten.code, 0);

  // The helpers of CI systems give the same answer again and again, and clients up to 3.7 try it each time.
  const stubborn = await GitUser.create(t, "stubborn", gitLfs);
  await stubborn.signIn("ada", "not ada's password");
  const insisted = await stubborn.tryClone(privateRemote, { timeoutSeconds: 60 });
  assert.notEqual(insisted.code, 0);
});

withEachGitLfs("to a user without any right a private repository does not exist", async (t, gitLfs) => {
  const { privateRemote, server } = await world(t, gitLfs);
  const ben = await GitUser.create(t, "ben", gitLfs);
  await ben.signIn("ben", "ben's password");

  const refused = await ben.tryClone(privateRemote);
  assert.notEqual(refused.code, 0);

  const asked = async (repository: string): Promise<unknown> => {
    const { status, body } = await server.user("ben:ben's password").askBatch(repository, "download", []);
    const { request_id: _, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>;
    return { status, rest: JSON.stringify(rest).replaceAll(repository, "REPOSITORY") };
  };
  const existing = await asked("private/app");
  assert.equal((existing as { status: number }).status, 404);
  assert.deepEqual(existing, await asked("private/none"));
});
