import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LocalGit } from "@holdall/git-store";
import { Installed } from "./installed.ts";

async function repository(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdall-installed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  execFileSync("git", ["init", "--quiet", "--bare", folder]);
  return folder;
}

test("what was noted stays noted for as long as the remote names it, of each remote by itself", async (t) => {
  const git = new LocalGit(await repository(t));
  const [one, other] = [new Installed(git, "s3://one/a"), new Installed(git, "s3://other/a")];
  await one.add(["a", "b"], ["a", "b", "c"]);
  await one.add(["c"], ["b", "c", "d"]);
  assert.deepEqual([...(await one.among(["a", "b", "c", "d"])).noted], ["b", "c"], "a is forgotten");
  assert.deepEqual([...(await other.among(["a", "b", "c", "d"])).noted], []);
});

test("a pack without its index is not there", async (t) => {
  const folder = await repository(t);
  for (const file of ["pack-a.pack", "pack-b.pack", "pack-b.idx"])
    await writeFile(join(folder, "objects/pack", file), "");
  const { files } = await new Installed(new LocalGit(folder), "s3://one/a").among(["pack-a", "pack-b"]);
  assert.deepEqual([...files], ["pack-b"]);
});

test("a note that cannot take its place leaves nothing", async (t) => {
  const folder = await repository(t);
  const installed = new Installed(new LocalGit(folder), "s3://one/a");
  await installed.add(["a"], ["a"]);
  const [note = ""] = await readdir(join(folder, "holdall"));
  await rm(join(folder, "holdall", note));
  await mkdir(join(folder, "holdall", note));
  await installed.add(["a"], ["a"]);
  assert.deepEqual(await readdir(join(folder, "holdall")), [note]);
});
