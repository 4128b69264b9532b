/** What a cache does on a full and on a read-only disk: `node cache-small-disk.ts <scenario> <folder>`. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { assertBytes, bytesOf, MiB, putBytes } from "../src/contract/contract-test.ts";
import { CacheLayer, errnoOf, MemoryStore, parseKey, type ObjectKey } from "../src/index.ts";

const [scenario = "", disk = ""] = process.argv.slice(2);
const store = new MemoryStore();
const faults: unknown[] = [];
const cache = new CacheLayer(store, {
  path: `${disk}/cache`,
  // More than the disk has.
  size: 1024 * MiB,
  store: "memory:",
  onFault: (error) => faults.push(errnoOf(error)),
});

async function keyOf(seed: number, size: number): Promise<ObjectKey> {
  const key = parseKey(`objects/${seed}`);
  await putBytes(store, key, bytesOf(seed, size));
  return key;
}

async function read(key: ObjectKey): Promise<Buffer> {
  const { body } = await cache.get(key, { immutable: true });
  return Buffer.concat(await Array.fromAsync(body));
}

/** Downloads go on while the disk is full, and it goes on keeping what it has room for. */
async function fullDisk(): Promise<void> {
  const keys = await Promise.all(Array.from({ length: 12 }, (_, seed) => keyOf(seed, 3 * MiB)));
  for (const [seed, key] of keys.entries()) assertBytes(await read(key), bytesOf(seed, 3 * MiB));
  assert.ok(faults.length > 0 && faults.every((errno) => errno === "ENOSPC"), String(faults));
  assert.ok(cache.stats.evicted > 0);
  assert.deepEqual(await readdir(`${disk}/cache/0/fills`), []);
  const last = keys.at(-1) ?? parseKey("none");
  await read(last);
  const { hits } = cache.stats;
  await read(last);
  assert.equal(cache.stats.hits, hits + 1, "what was read last is kept");
  // Several at once, of which each reader has to go on from the store.
  await Promise.all(
    keys.flatMap((key, seed) => [1, 2].map(async () => assertBytes(await read(key), bytesOf(seed, 3 * MiB)))),
  );
}

/** The same where nothing can be made room with: others have filled the disk. */
async function noRoom(): Promise<void> {
  const key = await keyOf(1, 3 * MiB);
  for (let i = 0; i < 3; i += 1) assertBytes(await read(key), bytesOf(1, 3 * MiB));
  assert.deepEqual(faults, ["ENOSPC"], "it is tried once, and then not for a while");
  assert.deepEqual(await readdir(`${disk}/cache/0/fills`), []);
}

/** What is there when the disk becomes read-only. */
async function beforeReadOnly(): Promise<void> {
  for (const seed of [1, 2]) await read(await keyOf(seed, 2 * MiB));
}

async function readOnly(): Promise<void> {
  const [one, two, three] = await Promise.all([1, 2, 3].map((seed) => keyOf(seed, 2 * MiB)));
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  assertBytes(await read(one), bytesOf(1, 2 * MiB));
  assertBytes(await read(three), bytesOf(3, 2 * MiB));
  assert.equal(cache.stats.hits, 1);
  await putBytes(cache, two, bytesOf(9, 2 * MiB));
  assertBytes(await read(two), bytesOf(9, 2 * MiB));
  assert.equal(cache.stats.hits, 1);
  assert.ok(faults.length > 0);
}

const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = { fullDisk, noRoom, beforeReadOnly, readOnly };

await SCENARIOS[scenario]?.();
await cache.close();
process.stdout.write(`${scenario} done\n`);
