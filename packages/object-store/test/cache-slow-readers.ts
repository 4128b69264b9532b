/**
 * Many slow readers of one cache at once, of objects that are being read from the store and of entries. Prints by how many
 * bytes that made this process grow at most.
 */
import { MiB } from "../src/contract/contract-test.ts";
import { CacheLayer, FsStore, parseKey } from "../src/index.ts";

const [folder = "", readers = ""] = process.argv.slice(2);
const SIZE = 40 * MiB;
const store = new FsStore(`${folder}/store`);
const cache = new CacheLayer(store, { path: `${folder}/cache`, size: 1024 * MiB, store: "the folder" });

async function* body(seed: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < SIZE / MiB; i += 1) yield Buffer.alloc(MiB, seed + i);
}

const keys = [1, 2, 3, 4].map((seed) => parseKey(`objects/${seed}`));
for (const [seed, key] of keys.entries()) await store.put(key, body(seed), { size: SIZE });
const lent = { immutable: true, borrow: true };
for (const key of keys.slice(0, 2)) for await (const _ of (await cache.get(key, lent)).body);

const before = process.memoryUsage.rss();
let highest = before;
const watch = setInterval(() => (highest = Math.max(highest, process.memoryUsage.rss())), 5);
const slow = await Promise.all(
  Array.from({ length: Number(readers) }, async (_, i) => {
    const { body } = await cache.get(keys[i % keys.length] ?? parseKey("none"), lent);
    return body[Symbol.asyncIterator]();
  }),
);
// Each takes a little of its object in each round, and keeps in hands what it has taken last.
for (let round = 0; round < 10; round += 1) await Promise.all(slow.map((chunks) => chunks.next()));
highest = Math.max(highest, process.memoryUsage.rss());
for (const chunks of slow) await chunks.return?.();
clearInterval(watch);
await cache.close();
process.stdout.write(`${highest - before}\n`);
