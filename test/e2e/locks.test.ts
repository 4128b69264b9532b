import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import type { Checkout } from "../support/checkout.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { said } from "../support/run.ts";
import { Server } from "../support/server.ts";

const EVERYONE_WRITES = { access: [{ who: "users", repositories: "**", right: "write" }] };

interface Team {
  readonly server: Server;
  readonly lfsUrl: string;
  readonly ada: Checkout;
  readonly ben: Checkout;
  readonly root: Checkout;
}

/** Two users and an admin with a clone each of a repository with `a.bin` and `b.bin`. */
async function team(t: TestContext, gitLfs: FoundService): Promise<Team> {
  const server = await Server.start(t, { config: EVERYONE_WRITES });
  const remote = await bareRepository(t);
  const lfsUrl = server.lfsUrl("team/app");
  const member = async (name: string, o: { admin?: boolean } = {}): Promise<GitUser> => {
    await server.addUser(name, `${name}'s password`, o);
    const user = await GitUser.create(t, name, gitLfs);
    await user.signIn(name, `${name}'s password`);
    return user;
  };
  const ada = await (await member("ada")).initWithLfs(remote, lfsUrl);
  await ada.writeSeeded("a.bin", 1, 5000);
  await ada.writeSeeded("b.bin", 2, 5000);
  await ada.commitAll("First");
  await ada.push();
  const ben = await (await member("ben")).clone(remote);
  const root = await (await member("root", { admin: true })).clone(remote);
  return { server, lfsUrl, ada, ben, root };
}

withEachGitLfs("a lock is seen by all, and a second one is refused with the holder's name", async (t, gitLfs) => {
  const { ada, ben } = await team(t, gitLfs);
  await ada.git("lfs", "lock", "a.bin");
  await ben.git("lfs", "lock", "b.bin");

  const listed = await ben.git("lfs", "locks");
  assert.match(listed.stdout, /^a\.bin\s+ada\s+ID:\d+$/m);
  assert.match(listed.stdout, /^b\.bin\s+ben\s+ID:\d+$/m);
  // With --verify the server says whose is whose: "O" marks one's own.
  const verified = await ben.git("lfs", "locks", "--verify");
  assert.match(verified.stdout, /^\s+a\.bin\s+ada/m);
  assert.match(verified.stdout, /^O\s+b\.bin\s+ben/m);

  const refused = await ben.tryGit("lfs", "lock", "a.bin");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /a\.bin.*ada|ada.*a\.bin/);

  await ada.git("lfs", "unlock", "a.bin");
  await ben.git("lfs", "lock", "a.bin");
});

withEachGitLfs("a path in any script is locked, found and opened by what it is called", async (t, gitLfs) => {
  const { ada, ben } = await team(t, gitLfs);
  const path = "größe/数据/🦊 naïve & 100%+1.bin";
  await ada.writeSeeded(path, 3, 5000);
  await ada.commitAll("A name");
  await ada.push();
  await ada.git("lfs", "lock", path);
  await ada.git("lfs", "lock", "a.bin");

  const listed = await ben.git("lfs", "locks", "--json", "--path", path);
  const locks = JSON.parse(listed.stdout) as { path: string; owner: { name: string } }[];
  assert.deepEqual(
    locks.map((lock) => [lock.path, lock.owner.name]),
    [[path, "ada"]],
  );

  await ada.git("lfs", "unlock", path);
  assert.match((await ben.git("lfs", "locks")).stdout, /^a\.bin\s+ada\s+ID:\d+\n$/, "the other lock alone is left");
});

withEachGitLfs("with locksverify, a file that another holds cannot be pushed", async (t, gitLfs) => {
  const { ada, ben, lfsUrl } = await team(t, gitLfs);
  await ada.git("lfs", "lock", "a.bin");
  await ben.git("config", `lfs.${lfsUrl}.locksverify`, "true");
  await ben.writeSeeded("a.bin", 3, 6000);
  await ben.commitAll("Ben changes what Ada holds");

  const refused = await ben.tryPush();
  assert.notEqual(refused.code, 0);
  assert.match(said(refused), /Unable to push locked files/);
  assert.match(said(refused), /a\.bin - ada/);

  await ada.git("lfs", "unlock", "a.bin");
  await ben.push();
  await ada.git("pull", "--quiet");
  assert.deepEqual(await ada.files(), await ben.files());
});

withEachGitLfs("another's lock is opened only by force, and only by an admin", async (t, gitLfs) => {
  const { ada, ben, root, server } = await team(t, gitLfs);
  await ada.git("lfs", "lock", "a.bin");

  const polite = await ben.tryGit("lfs", "unlock", "a.bin");
  assert.notEqual(polite.code, 0);
  assert.match(polite.stderr, /ada/, "the refusal names the holder");
  const forced = await ben.tryGit("lfs", "unlock", "--force", "a.bin");
  assert.notEqual(forced.code, 0);
  assert.match((await ada.git("lfs", "locks")).stdout, /a\.bin\s+ada/, "the lock is still there");

  const politeRoot = await root.tryGit("lfs", "unlock", "a.bin");
  assert.notEqual(politeRoot.code, 0, "an admin has to say so, too");
  await root.git("lfs", "unlock", "--force", "a.bin");
  assert.equal((await ada.git("lfs", "locks")).stdout, "");
  // The log says who opened whose lock.
  await server.untilLogged(({ text }) => /force/i.test(text) && text.includes("root") && text.includes("ada"));
});
