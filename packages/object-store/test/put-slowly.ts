/** Begins a put, says so, and ends it when told to. */
import { once } from "node:events";
import { FsStore, parseKey } from "../src/index.ts";

const [root = ""] = process.argv.slice(2);
const store = new FsStore(root);

async function* body(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(5_000_000, "a");
  process.stdout.write("begun\n");
  await once(process.stdin, "data");
  yield Buffer.alloc(5_000_000, "b");
}

await store.put(parseKey("slow"), body(), { size: 10_000_000 });
process.stdout.write("stored\n");
await store.close();
