/**
 * One of several processes that read the objects of a folder by way of one cache: at random, some at once, some only in
 * part, and now and then replaces one. Prints a line for each round. Objects are named by their seed and size.
 */
import { assertBytes, bytesOf, putBytes } from "../src/contract/contract-test.ts";
import { CacheLayer, FsStore, parseKey } from "../src/index.ts";

const [path = "", objects = "", processes = "", size = "", rounds = "", seed = ""] = process.argv.slice(2);

let state = Number(seed);
/** The same numbers for the same seed (Numerical Recipes, section 7.1). */
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

const store = new FsStore(objects);
const cache = new CacheLayer(store, {
  path,
  size: Number(size),
  processes: Number(processes),
  store: "the folder",
  onFault: (error) => {
    throw error;
  },
});
const keys = (await Array.fromAsync(store.list(""))).map(({ key }) => key);

async function readOne(): Promise<void> {
  const key = keys[random(keys.length)] ?? parseKey("none");
  const [, of = "", length = ""] = key.split("/");
  const bytes = bytesOf(Number(of), Number(length));
  if (random(20) === 0) await putBytes(cache, key, bytes);
  const start = random(4) === 0 ? random(bytes.length) : 0;
  const leaves = random(8) === 0;
  const chunks: Buffer[] = [];
  const o = { immutable: true, borrow: true, ...(start === 0 ? {} : { range: { start } }) };
  for await (const chunk of (await cache.get(key, o)).body) {
    chunks.push(Buffer.from(chunk));
    if (leaves) break;
  }
  const seen = Buffer.concat(chunks);
  assertBytes(seen, leaves ? bytes.subarray(start, start + seen.length) : bytes.subarray(start));
}

for (let round = 0; round < Number(rounds); round += 1) {
  await Promise.all(Array.from({ length: 6 }, readOne));
  process.stdout.write(`${cache.stats.hits}\n`);
}
await cache.close();
