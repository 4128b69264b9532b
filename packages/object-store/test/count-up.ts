/** Adds one to the number in an object, as often as it is told, by compare-and-swap. */
import { FsStore, parseKey, StorageError } from "../src/index.ts";

const [root = "", times = ""] = process.argv.slice(2);
const store = new FsStore(root);
const key = parseKey("counter");

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function addOne(): Promise<boolean> {
  const object = await store.get(key);
  let text = "";
  for await (const chunk of object.body) text += Buffer.from(chunk).toString();
  const next = String(Number(text) + 1);
  try {
    await store.put(key, bodyOf(next), { size: next.length, ifMatch: object.etag });
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.code === "conflict") return false;
    throw error;
  }
}

for (let done = 0; done < Number(times);) if (await addOne()) done += 1;
await store.close();
