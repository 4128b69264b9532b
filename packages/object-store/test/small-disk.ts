/** What a folder store does on a full and on a read-only disk; to be run where it may mount: `unshare -rm`. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import {
  assertAbsent,
  assertBytes,
  bytesOf,
  getBytes,
  MiB,
  putBytes,
  withCode,
} from "../src/contract/contract-test.ts";
import { FsStore, parseKey, ProcessLock } from "../src/index.ts";
import { temporaryFiles } from "./folder.ts";

const [scenario = "", disk = ""] = process.argv.slice(2);
const root = `${disk}/store`;
const store = new FsStore(root);
const first = parseKey("objects/first");
const second = parseKey("objects/second");

async function fullDisk(): Promise<void> {
  await putBytes(store, first, bytesOf(1, 9 * MiB));
  await assert.rejects(putBytes(store, second, bytesOf(2, 9 * MiB)), withCode("full"));
  await assertAbsent(store, second);
  assert.deepEqual(await temporaryFiles(root), []);
  assertBytes(await getBytes(store, first), bytesOf(1, 9 * MiB));
  await assert.rejects(putBytes(store, first, bytesOf(2, 9 * MiB)), withCode("full"));
  assertBytes(await getBytes(store, first), bytesOf(1, 9 * MiB));
  await store.delete(first);
  await putBytes(store, second, bytesOf(2, 12 * MiB));
  assertBytes(await getBytes(store, second), bytesOf(2, 12 * MiB));
}

async function fullOfSmallObjects(): Promise<void> {
  const stored: string[] = [];
  let refused = 0;
  for (let round = 0; round < 10; round++) {
    const names = Array.from({ length: 40 }, (_, i) => `small/${round}/${i}`);
    const puts = names.map(async (name) => {
      await putBytes(store, parseKey(name), bytesOf(name.length, 65_536), { ifAbsent: true });
      stored.push(name);
    });
    for (const result of await Promise.allSettled(puts)) {
      if (result.status === "fulfilled") continue;
      withCode("full")(result.reason);
      refused += 1;
    }
  }
  assert.ok(stored.length > 100 && refused > 100, `${stored.length} stored, ${refused} refused`);
  for (const name of stored) assertBytes(await getBytes(store, parseKey(name)), bytesOf(name.length, 65_536));
  assert.deepEqual(await temporaryFiles(root), []);
}

async function readOnlyDisk(): Promise<void> {
  const { etag } = await putBytes(store, first, bytesOf(1, 2 * MiB));
  const view = `${disk}/view`;
  await mkdir(view);
  execFileSync("mount", ["--bind", root, view]);
  execFileSync("mount", ["-o", "remount,bind,ro", view]);
  const readOnly = new FsStore(view);
  await assert.rejects(putBytes(readOnly, second, bytesOf(2, 10)), withCode("denied"));
  await assert.rejects(putBytes(readOnly, second, bytesOf(2, 10), { ifAbsent: true }), withCode("denied"));
  await assert.rejects(putBytes(readOnly, first, bytesOf(2, 10), { ifMatch: etag }), withCode("denied"));
  await assert.rejects(readOnly.delete(first), withCode("denied"));
  await readOnly.delete(second);
  await assertAbsent(readOnly, second);
  assertBytes(await getBytes(readOnly, first), bytesOf(1, 2 * MiB));
  // Nor does anyone get a lock there that others would get too.
  assert.throws(() => ProcessLock.tryAcquire(`${view}/.holdall/swap.lock`), withCode("denied"));
  await readOnly.close();
}

const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = { fullDisk, fullOfSmallObjects, readOnlyDisk };

execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", disk]);
await SCENARIOS[scenario]?.();
await store.close();
assert.deepEqual(await readdir(`${root}/.holdall/tmp`), []);
process.stdout.write(`${scenario} done\n`);
