import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKOUT, cleanEnvironment } from "../support/holdall.ts";
import { run, runWell } from "../support/run.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const AGENT = join(CHECKOUT, "packages", "holdall", "bin", "git-lfs-holdall.js");

test("a download for which there is no room fails with a word on it, leaves nothing, and the next one comes", async (t) => {
  const disk = await SmallDisk.mount(t, "4m");
  if (disk === undefined) return;
  const folder = await temporaryFolder(t, "lfs-agent");
  const [large, small] = [seededObject(1, 6_000_000), seededObject(2, 100_000)];
  await mkdir(join(folder, "store/lfs"), { recursive: true });
  for (const { oid, bytes } of [large, small]) await writeFile(join(folder, "store/lfs", oid), bytes);
  await runWell("git", ["init", "--quiet", folder]);
  const store = `holdall::file://${join(folder, "store")}`;
  for (const [key, value] of [
    ["remote.origin.url", store],
    ["lfs.storage", join(disk.path, "lfs")],
  ] as const) {
    await runWell("git", ["config", key, value], { cwd: folder });
  }

  const asked = ({ oid, size }: SeededObject): object => ({ event: "download", oid, size });
  const lines = [{ event: "init", operation: "download", remote: "origin" }, asked(large), asked(small)];
  const [program, ...args] = [...disk.enter, process.execPath, AGENT, "transfer"];
  const { code, stdout } = await run(program, args, {
    // Whoever enters the disk's namespace is at its root.
    env: { ...cleanEnvironment(), GIT_DIR: join(folder, ".git") },
    input: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  });
  assert.equal(code, 0);
  const [failed, done] = stdout.split("\n").filter((line) => line.includes('"complete"'));
  assert.match(
    failed ?? "",
    /"code":507,"message":"there is no room for the object on this machine: free or add space/,
  );
  assert.match(done ?? "", new RegExp(`"oid":"${small.oid}","path":`));
  const left = await readdir(join(disk.outside, "lfs"), { recursive: true });
  assert.deepEqual(left.filter((name) => name.includes("-holdall-") || name.endsWith(".part")).length, 1, left.join());
});
