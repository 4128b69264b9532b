import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

// Around the sizes at which git-lfs, buffers and small-object paths change their ways.
const SIZES = [1, 100, 1023, KIB, KIB + 1, 64 * KIB, 100_003, MIB - 1, MIB, MIB + 1, 5 * MIB + 17, 40 * MIB];

withEachGitLfs("what one user pushes, another clones: every size, name and mode", async (t, gitLfs) => {
  const server = await Server.start(t);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
  for (const [seed, size] of SIZES.entries()) await work.writeSeeded(`sizes/${size}.bin`, seed, size);
  await work.write("empty.bin", Buffer.alloc(0));
  await work.writeSeeded("with some spaces/a file.bin", 100, 2000);
  await work.writeSeeded("größe/数据/🦊 naïve.bin", 101, 2000);
  await work.writeSeeded("a copy of the smallest.bin", 0, 1);
  await work.write("tool.bin", Buffer.from("#!/bin/sh\necho it runs\n"), { executable: true });
  await work.write("beside lfs.txt", Buffer.from("kept by git itself\n"));
  await work.commitAll("Files of all kinds");
  await work.push();

  const ben = await GitUser.create(t, "ben", gitLfs);
  const copy = await ben.clone(remote);

  assert.deepEqual(await copy.files(), await work.files());
  const tracked = Object.keys(await work.files()).filter((name) => name.endsWith(".bin") && name !== "empty.bin");
  assert.deepEqual([...(await copy.oids()).keys()].sort(), tracked.sort(), "all but the empty file are in LFS");
  assert.equal((await copy.git("status", "--porcelain")).stdout, "");
});
