/** Begins to read an object into a cache, says so when a part of it is there, and waits for the rest for ever. */
import { bytesOf, MiB, putBytes } from "../src/contract/contract-test.ts";
import { CacheLayer, MemoryStore, parseKey } from "../src/index.ts";
import type { GetOptions, ObjectKey, StoredObject } from "../src/index.ts";

const [path = ""] = process.argv.slice(2);
const key = parseKey("one");

class Stuck extends MemoryStore {
  override async get(of: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    const { size, etag, modifiedAt, range, body } = await super.get(of, o);
    return { key: of, size, etag, modifiedAt, range, body: stuck(body) };
  }
}

async function* stuck(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = MiB;
  for await (const chunk of body) {
    yield chunk;
    left -= chunk.length;
    if (left <= 0) await new Promise<never>(() => undefined);
  }
}

const store = new Stuck();
await putBytes(store, key, bytesOf(1, 2 * MiB));
const cache = new CacheLayer(store, { path, size: 64 * MiB, store: "memory:" });
// Something that waits for ever does not keep a process running.
setInterval(() => undefined, 1000);
let seen = 0;
for await (const { length } of (await cache.get(key, { immutable: true })).body) {
  if (seen < MiB / 2 && seen + length >= MiB / 2) process.stdout.write("begun\n");
  seen += length;
}
