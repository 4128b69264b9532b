import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { User } from "../test/user.ts";

test("work trees of a clone share what is noted of a remote", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  for (const n of ["a", "b", "c"]) {
    await user.commit("work", n);
    await user.git("work", "push", "origin", "main");
  }
  await user.git(".", "clone", `folder::${store}`, "copy");
  await user.git("copy", "gc", "--quiet");
  await user.git("copy", "worktree", "add", "--detach", "../tree");
  await user.commit("work", "d");
  await user.git("work", "push", "origin", "main");
  await user.git("tree", "fetch", "origin");
  const packs = (await readdir(join(user.folder, "copy/.git/objects/pack"))).filter((name) => name.endsWith(".pack"));
  assert.equal(packs.length, 2, "one of git gc, and the new one");
});

test("a ref may have any character that git allows", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  const oid = await user.commit("work", "a");
  for (const name of ["a\u2028b", "b\u3000c", "c\u00a0d", "\u{1f600}", "a'b", 'q"r', "x%y", "z;&$(true)"]) {
    await user.git("work", "push", "origin", `HEAD:refs/heads/${name}`);
    assert.equal((await user.git("work", "ls-remote", "origin", `refs/heads/${name}`)).split("\t")[0], oid, name);
  }
});

test("what is pushed from a hook, of objects that are in quarantine, is all there", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.git(".", "init", "--quiet", "--bare", "hub.git");
  await user.git("hub.git", "remote", "add", "mirror", `folder::${store}`);
  for (const hook of ["pre-receive", "post-receive"]) {
    const path = join(user.folder, "hub.git/hooks", hook);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, `#!/bin/sh\nwhile read from to ref; do git push mirror "$to:$ref-${hook}" || exit 1; done\n`);
    await chmod(path, 0o755);
  }
  await user.git(".", "init", "--quiet", "work");
  for (const n of ["a", "b"]) {
    await user.commit("work", n);
    await user.git("work", "push", join(user.folder, "hub.git"), "main");
  }
  await user.git(".", "clone", "--mirror", `folder::${store}`, "copy");
  await user.git("copy", "fsck", "--strict");
  assert.equal((await user.git("copy", "for-each-ref")).split("\n").length, 2);
});

test("spaces and letters of all kinds may be in paths", async (t) => {
  const user = await User.create(t);
  const work = "wörk tree 'x'";
  await user.init(work, join(user.folder, "store"));
  await user.commit(work, "a");
  await user.git(work, "push", "origin", "main");
  await user.commit(work, "b");
  await user.git(work, "push", "origin", "main");
  const copy = "cöpy of it";
  await user.git(".", "clone", `folder::${join(user.folder, "store")}`, copy);
  await user.git(copy, "fsck", "--strict");
});

test("a clone in a folder with a line end in its name is refused, and nothing is written elsewhere", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  await user.commit("work", "a");
  await user.git("work", "push", "origin", "main");
  const before = await readdir(user.folder);
  const { code, err } = await user.try(".", "clone", `folder::${store}`, "co\npy");
  assert.equal(code, 128);
  assert.match(err, /fatal: the repository ".*co\\npy\/.git" is in a folder with a line end in its name: rename it/);
  assert.deepEqual(await readdir(user.folder), before);
});

test("a name that is not in UTF-8 is refused in words, and no other ref is touched", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  const oid = await user.commit("work", "a");
  await user.git("work", "push", "origin", "main", "main:refs/heads/caf\ufffd");
  const next = await user.commit("work", "b");
  const ref = Buffer.from(join(user.folder, "work/.git/refs/heads/caf\xe9"), "latin1");
  await writeFile(ref, `${next}\n`);
  const { code, err } = await user.try("work", "push", "--all", "origin");
  assert.equal(code, 1);
  assert.match(err, /! \[remote rejected\] caf\S+ -> caf\S+ \(a name that is not in UTF-8 cannot be pushed\)/);
  assert.doesNotMatch(err, /unexpected status/);
  assert.deepEqual((await user.git("work", "ls-remote", "origin", "refs/*")).split(/\s/), [
    oid,
    "refs/heads/caf\ufffd",
    next,
    "refs/heads/main",
  ]);
});

test("the helper ends when nobody reads its answers", { timeout: 20_000 }, async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  await user.commit("work", "a");
  await user.git("work", "push", "origin", "main");
  const child = spawn(join(user.folder, "bin/git-remote-folder"), ["origin", store], {
    env: { ...process.env, GIT_DIR: join(user.folder, "work/.git") },
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdout.destroy();
  child.stdin.on("error", () => undefined);
  for (let n = 0; n < 100; n += 1) child.stdin.write("list\n");
  await new Promise((resolve) => child.once("exit", resolve));
});

test("with the protocol of old, a shallow clone is whole or refused, and works", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  for (const n of ["a", "b"]) {
    await user.commit("work", n);
    await user.git("work", "push", "origin", "main");
  }
  await user.git(".", "clone", "--depth=1", `folder::${store}`, "shallow");
  await user.commit("work", "c");
  await user.git("work", "push", "origin", "main");
  await user.git("shallow", "-c", "protocol.version=0", "fetch");
  await user.git("shallow", "fsck");
  await user.git("shallow", "merge", "--quiet", "origin/main");
  await user.commit("shallow", "d");
  await user.git("shallow", "push", "origin", "main");
  await user.git(".", "clone", `folder::${store}`, "whole");
  await user.git("whole", "fsck", "--strict");
  assert.equal(await user.git("whole", "rev-list", "--count", "main"), "4");
});
