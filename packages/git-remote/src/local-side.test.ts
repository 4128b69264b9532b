import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { User } from "../test/user.ts";

const keeps = async (folder: string): Promise<string[]> =>
  (await readdir(join(folder, "objects/pack"))).filter((name) => /\.keep$|tmp_/.test(name));

async function pushed(user: User, commits: number): Promise<string> {
  const store = join(user.folder, "store");
  await user.init("work", store);
  for (let n = 0; n < commits; n += 1) {
    await user.commit("work", `${n}`);
    await user.git("work", "push", "origin", "main");
  }
  return store;
}

test("a fetch that fails leaves nothing that keeps git from clearing up", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 1);
  await user.git(".", "clone", `folder::${store}`, "copy");
  for (const n of ["x", "y", "z"]) {
    await user.commit("work", n);
    await user.git("work", "push", "origin", "main");
  }
  const { packs } = JSON.parse(await readFile(join(store, "holdall/manifest.json"), "utf8")) as {
    packs: { name: string }[];
  };
  await truncate(join(store, `objects/pack/${packs.at(-1)?.name}.pack`), 40);
  const said = await user.try("copy", "fetch");
  assert.notEqual(said.code, 0);
  assert.deepEqual(await keeps(join(user.folder, "copy/.git")), []);
});

test("a push that is committed is told so, though nothing can be noted of it", async (t) => {
  const user = await User.create(t);
  await pushed(user, 1);
  await user.commit("work", "b");
  await rm(join(user.folder, "work/.git/holdall"), { recursive: true });
  await writeFile(join(user.folder, "work/.git/holdall"), "");
  await user.git("work", "push", "origin", "main");
});

test("a fetch goes on, though nothing can be noted of it", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 1);
  await user.git(".", "clone", `folder::${store}`, "copy");
  await user.commit("work", "b");
  await user.git("work", "push", "origin", "main");
  await rm(join(user.folder, "copy/.git/holdall"), { recursive: true });
  await writeFile(join(user.folder, "copy/.git/holdall"), "");
  const said = await user.try("copy", "fetch");
  assert.deepEqual(await keeps(join(user.folder, "copy/.git")), []);
  assert.equal(said.code, 0, said.err);
});

test("what a push that was killed has left goes with the next git gc", async (t) => {
  const user = await User.create(t);
  await pushed(user, 1);
  const objects = join(user.folder, "work/.git/objects");
  const source = await readFile(join(import.meta.dirname, "push.ts"), "utf8");
  const prefix = /objectFolder\(\), "([^"]+)"/.exec(source)?.[1] ?? assert.fail();
  const left = join(objects, `${prefix}AbCdEf`);
  await mkdir(left);
  await writeFile(join(left, "pack-1.pack"), "x");
  await utimes(left, 0, 0);
  await user.git("work", "gc", "--quiet", "--prune=now");
  assert.equal(existsSync(left), false);
});

test("a cache of which a part was removed is made anew", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 3);
  await user.git(".", "clone", "--depth=1", `folder::${store}`, "one");
  const root = join(user.folder, ".cache");
  const [name = ""] = await readdir(root);
  await rm(join(root, name, "HEAD"));
  await user.git(".", "clone", "--depth=1", `folder::${store}`, "two");
});

test("a cache whose packs were removed gets them again", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 3);
  await user.git(".", "clone", "--depth=1", `folder::${store}`, "one");
  const root = join(user.folder, ".cache");
  const [name = ""] = await readdir(root);
  const packs = join(root, name, "objects/pack");
  for (const file of await readdir(packs)) await rm(join(packs, file));
  await user.git(".", "clone", "--depth=1", `folder::${store}`, "two");
});

test("two clones of parts at once, the first ones of a user", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 3);
  await Promise.all([1, 2, 3, 4].map((n) => user.git(".", "clone", "--depth=1", `folder::${store}`, `part${n}`)));
});

test("a fetch is refused in words when the remote was made anew with other history", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 2);
  await user.git(".", "clone", `folder::${store}`, "copy");
  await rm(store, { recursive: true });
  await user.init("work2", store);
  await user.commit("work2", "other");
  await user.git("work2", "push", "origin", "main");
  await user.git("copy", "fetch");
  await user.git("copy", "fsck", "--strict");
  assert.equal(await user.git("copy", "rev-parse", "origin/main"), await user.git("work2", "rev-parse", "main"));
});

test("the end of git ends the helper, wherever it comes", async (t) => {
  const user = await User.create(t);
  const store = await pushed(user, 1);
  const session =
    "capabilities\noption progress true\noption verbosity 1\noption object-format true\nlist for-push\npush refs/heads/main:refs/heads/new\n\n\n";
  const helper = join(user.folder, "bin/git-remote-folder");
  for (let cut = 0; cut < session.length; cut += 9) {
    const code = await new Promise((resolve) => {
      const child = execFile(
        helper,
        ["origin", store],
        { env: { ...process.env, GIT_DIR: join(user.folder, "work/.git") }, timeout: 10_000 },
        (error) => resolve(error?.signal ?? error?.code ?? 0),
      );
      child.stdin?.end(session.slice(0, cut));
    });
    assert.equal(code, 0, session.slice(0, cut));
  }
});
