/** What a folder store does on a full and on a read-only disk: `node small-disk.ts <scenario> <folder>`. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
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

/** What is there when the disk becomes read-only. */
async function beforeReadOnly(): Promise<void> {
  await putBytes(store, first, bytesOf(1, 2 * MiB));
}

async function readOnly(): Promise<void> {
  const stored = await store.stat(first);
  assert.ok(stored !== undefined);
  await assert.rejects(putBytes(store, second, bytesOf(2, 10)), withCode("denied"));
  await assert.rejects(putBytes(store, second, bytesOf(2, 10), { ifAbsent: true }), withCode("denied"));
  await assert.rejects(putBytes(store, first, bytesOf(2, 10), { ifMatch: stored.etag }), withCode("denied"));
  await assert.rejects(store.delete(first), withCode("denied"));
  await store.delete(second);
  await assertAbsent(store, second);
  assertBytes(await getBytes(store, first), bytesOf(1, 2 * MiB));
  // Nor does anyone get a lock there that others would get too.
  assert.throws(() => ProcessLock.tryAcquire(`${root}/.holdall/swap.lock`), withCode("denied"));
}

const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = {
  fullDisk,
  fullOfSmallObjects,
  beforeReadOnly,
  readOnly,
};

await SCENARIOS[scenario]?.();
await store.close();
assert.deepEqual(await readdir(`${root}/.holdall/tmp`), []);
process.stdout.write(`${scenario} done\n`);
