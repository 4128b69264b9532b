import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { FsStore } from "@holdall/object-store";
import { GitStore, maintain } from "@holdall/git-store";
import { seededBytes } from "../../../test/support/content.ts";
import { setVariable } from "../../../test/support/environment.ts";
import { User } from "../test/user.ts";

/** What nothing can make smaller. */
const noise = (seed: number): string => Buffer.from(seededBytes(seed, 700_000)).toString("base64");

test("a user's limit of the size of packs does not cut what is pushed", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.git(".", "config", "--global", "pack.packSizeLimit", "1m");
  await user.init("work", store);
  for (const [seed, name] of ["a", "b", "c"].entries()) await user.commit("work", name, noise(seed));
  await user.git("work", "push", "origin", "main");
  await user.git(".", "clone", `folder::${store}`, "copy");
  await user.git("copy", "fsck", "--strict");
});

test("an index version of the user's choice is none that others cannot read", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.git(".", "config", "--global", "pack.indexVersion", "1");
  await user.init("work", store);
  await user.commit("work", "a");
  await user.git("work", "push", "origin", "main");
  await user.git(".", "clone", `folder::${store}`, "copy");
});

test("what grafts hide is pushed, or the push is refused", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  await user.commit("work", "a");
  const tip = await user.commit("work", "b");
  await writeFile(join(user.folder, "work/.git/info/grafts"), `${tip}\n`);
  const said = await user.try("work", "push", "origin", "main");
  if (said.code === 0) {
    await user.git(".", "clone", `folder::${store}`, "copy");
    await user.git("copy", "fsck", "--strict");
    assert.equal(await user.git("copy", "rev-list", "--count", "main"), "2");
  }
});

test("what replace refs hide is pushed", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  await user.commit("work", "a");
  const tip = await user.commit("work", "b");
  await user.git("work", "replace", "--graft", tip);
  await user.git("work", "push", "origin", "main");
  await user.git(".", "clone", `folder::${store}`, "copy");
  assert.equal(await user.git("copy", "rev-list", "--count", "main"), "2");
});

test("a lease holds for a branch whose name is not of ASCII", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  const first = await user.commit("work", "a");
  await user.git("work", "push", "origin", "HEAD:refs/heads/bräu");
  await user.git("work", "commit", "--amend", "--quiet", "--message", "anew");
  await user.git("work", "push", `--force-with-lease=bräu:${first}`, "origin", "HEAD:refs/heads/bräu");
});

test("hidden refs of the user's settings are for servers, and are here for parts of a history", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  await user.commit("work", "a");
  await user.git("work", "push", "origin", "main");
  await user.git(".", "config", "--global", "transfer.hideRefs", "refs/heads/");
  await user.git(".", "clone", "--depth=1", `folder::${store}`, "copy");
  await user.git("copy", "rev-parse", "main");
});

test("merging packs keeps all, whatever limit of their size the user has set", async (t) => {
  const user = await User.create(t);
  const store = join(user.folder, "store");
  await user.init("work", store);
  for (const [seed, name] of ["a", "b", "c"].entries()) {
    await user.commit("work", name, noise(seed));
    await user.git("work", "push", "origin", "main");
  }
  await user.git(".", "config", "--global", "pack.packSizeLimit", "1m");
  setVariable(t, "HOME", user.folder);
  const kept = { store: new FsStore(store), git: new GitStore(new FsStore(store)) };
  await maintain(kept, { full: true });
  await user.git(".", "config", "--global", "--unset", "pack.packSizeLimit");
  await user.git(".", "clone", `folder::${store}`, "copy");
  await user.git("copy", "fsck", "--strict");
});

test("who signs pushes where that is asked for pushes, and who insists on it is told that there is no such thing", async (t) => {
  const user = await User.create(t);
  await user.git(".", "config", "--global", "push.gpgSign", "if-asked");
  await user.init("work", join(user.folder, "store"));
  await user.commit("work", "a");
  await user.git("work", "push", "origin", "main");
  assert.match((await user.try("work", "push", "--signed", "origin", "main:other")).err, /does not support --signed/);
});
