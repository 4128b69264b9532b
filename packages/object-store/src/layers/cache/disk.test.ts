import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually } from "../../../../../test/support/eventually.ts";
import { SmallDisk } from "../../../../../test/support/small-disk.ts";
import { temporaryFolder } from "../../../test/folder.ts";
import { assertBytes, bytesOf, MiB } from "../../contract/contract-test.ts";
import { cached, filesOf, read, stored } from "./fixtures/cached.ts";

const CHILD = fileURLToPath(new URL("../../../test/cache-small-disk.ts", import.meta.url));
const run = promisify(execFile);

async function play(scenario: string, disk: SmallDisk): Promise<void> {
  const [program, ...args] = [...disk.enter, process.execPath, CHILD, scenario, disk.path];
  assert.equal((await run(program, args)).stdout, `${scenario} done\n`);
}

test("while the disk is full all reads are answered, and the cache makes do with what there is", async (t) => {
  const disk = await SmallDisk.mount(t, "16m");
  if (disk !== undefined) await play("fullDisk", disk);
});

test("where others have filled the disk nothing is kept, and every read is answered", async (t) => {
  const disk = await SmallDisk.mount(t, "16m");
  if (disk === undefined) return;
  await disk.fill(14 * MiB);
  await play("noRoom", disk);
});

test("on a read-only disk entries are read, what is dropped is not, and everything else comes from the store", async (t) => {
  const disk = await SmallDisk.mount(t, "16m");
  if (disk === undefined) return;
  await play("beforeReadOnly", disk);
  await disk.makeReadOnly();
  await play("readOnly", disk);
});

test("a folder that cannot be made stops no read, and is tried again after a minute", async (t) => {
  const file = join(await temporaryFolder(t), "file");
  await writeFile(file, "");
  let now = 0;
  const { upstream, cache, faults, path } = await cached(t, { path: join(file, "cache"), now: () => now });
  const key = await stored(upstream, "one", 1, MiB);
  for (let i = 0; i < 3; i += 1) assertBytes(await read(cache, key), bytesOf(1, MiB));
  assert.equal(faults.length, 1);
  await cache.delete(await stored(upstream, "other", 2, 10));
  assert.equal(await cache.sweep(), 0);
  now = 59_999;
  await read(cache, key);
  assert.equal(faults.length, 1);
  await rm(file);
  now = 60_000;
  await read(cache, key);
  assert.equal((await filesOf(path, "entries")).length, 1);
  assert.equal(faults.length, 1);
});

test("when the folder is removed while the cache is in use reads go on, and after a minute it is used again", async (t) => {
  let now = 0;
  const { upstream, cache, path, faults } = await cached(t, { now: () => now });
  const key = await stored(upstream, "one", 1, MiB);
  await read(cache, key);
  await rm(path, { recursive: true });
  for (let i = 0; i < 2; i += 1) assertBytes(await read(cache, key), bytesOf(1, MiB));
  assert.equal(faults.length, 1);
  now = 60_000;
  for (let i = 0; i < 2; i += 1) assertBytes(await read(cache, key), bytesOf(1, MiB));
  assert.deepEqual(upstream.asked, ["one", "one", "one", "one"]);
  assert.deepEqual((await readdir(path)).sort(), ["0", "0.lock"]);
  assert.equal(cache.stats.entries, 1);
});

test("no read waits until a cache with many entries has looked at all of them", async (t) => {
  const { upstream, cache, path } = await cached(t);
  const key = await stored(upstream, "one", 1, MiB);
  const entries = join(path, "0", "entries");
  await mkdir(entries, { recursive: true });
  for (let i = 0; i < 12_000; i += 1) writeFileSync(join(entries, i.toString(16).padStart(32, "0")), "");
  assertBytes(await read(cache, key), bytesOf(1, MiB));
  assert.equal(cache.stats.passed, 1);
  assert.equal(cache.stats.entries, 0);
  await eventually("it is kept", async () => {
    await read(cache, key);
    return cache.stats.entries === 12_001;
  });
});
