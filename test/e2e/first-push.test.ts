import assert from "node:assert/strict";
import { join } from "node:path";
import { openSqlite } from "@holdall/metadata";
import type { Checkout } from "../support/checkout.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { repositoryNamed } from "../support/names.ts";
import { withEachGitLfs } from "../support/require.ts";
import { said } from "../support/run.ts";
import { Server } from "../support/server.ts";

// Before all else a push asks whether files are locked. A client that is told 404 there writes "false" into the setting
// locksverify, even over "true", and never asks again.

withEachGitLfs("the first push creates the repository, and lock checking stays on", async (t, gitLfs) => {
  const server = await Server.start(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const lfsUrl = server.lfsUrl("team/new");
  const work = await firstCommit(await ada.initWithLfs(await bareRepository(t), lfsUrl), lfsUrl);

  const pushed = await work.tryPush();

  assert.equal(pushed.code, 0, pushed.stderr);
  assert.equal(await locksVerify(work, lfsUrl), "true");
  await work.git("lfs", "lock", "a.bin");
  await work.writeSeeded("a.bin", 2, 5000);
  await work.commitAll("Second");
  await work.push();
});

withEachGitLfs("where pushes create nothing, lock checking stays on until somebody has", async (t, gitLfs) => {
  const server = await Server.start(t, { config: { createRepositories: false } });
  const ada = await GitUser.create(t, "ada", gitLfs);
  const lfsUrl = server.lfsUrl("team/new");
  const work = await firstCommit(await ada.initWithLfs(await bareRepository(t), lfsUrl), lfsUrl);

  const refused = await work.tryPush();
  assert.notEqual(refused.code, 0);
  assert.match(said(refused), /there is no repository team\/new/);
  assert.equal(await locksVerify(work, lfsUrl), "true");

  await createRepository(server, "team/new");
  await work.push();
  assert.equal(await locksVerify(work, lfsUrl), "true");
});

withEachGitLfs("lock checking stays on when a push is refused to somebody without rights", async (t, gitLfs) => {
  const access = [{ who: "user:ada", repositories: "**", right: "write" }];
  const server = await Server.start(t, { config: { access } });
  await server.addUser("ben", "ben's password");
  const ben = await GitUser.create(t, "ben", gitLfs);
  await ben.signIn("ben", "ben's password");
  await createRepository(server, "team/theirs");

  for (const repository of ["team/theirs", "team/nobodys"]) {
    const lfsUrl = server.lfsUrl(repository);
    const work = await firstCommit(await ben.initWithLfs(await bareRepository(t), lfsUrl), lfsUrl);
    const refused = await work.tryPush();
    assert.notEqual(refused.code, 0);
    assert.match(said(refused), new RegExp(`there is no repository ${repository}, or you may not write to it`));
    assert.equal(await locksVerify(work, lfsUrl), "true");
  }
});

/** A commit with one file in LFS, and lock checking on. */
async function firstCommit(work: Checkout, lfsUrl: string): Promise<Checkout> {
  await work.git("config", `lfs.${lfsUrl}.locksverify`, "true");
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  return work;
}

async function locksVerify(work: Checkout, lfsUrl: string): Promise<string> {
  return (await work.git("config", `lfs.${lfsUrl}.locksverify`)).stdout.trim();
}

/** As another program does that keeps the server's books. */
async function createRepository(server: Server, name: string): Promise<void> {
  const metadata = await openSqlite({ file: join(server.data, "holdall.db") });
  await metadata.repositories.ensure(repositoryNamed(name));
  await metadata.close();
}
