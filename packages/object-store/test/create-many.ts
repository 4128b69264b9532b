/**
 * Begins to create so many objects, of bytes of its own, says so when nothing is there that would stop it, ends all when
 * told to, and prints those that it was the one to create.
 */
import { once } from "node:events";
import { FsStore, parseKey, StorageError } from "../src/index.ts";

const [root = "", letter = "", count = ""] = process.argv.slice(2);
const store = new FsStore(root);
const piece = Buffer.alloc(50_000, letter);
const told = once(process.stdin, "data");
let begun = 0;

async function* body(): AsyncGenerator<Uint8Array> {
  yield piece;
  begun += 1;
  if (begun === Number(count)) process.stdout.write("begun\n");
  await told;
  yield piece;
}

async function create(name: string): Promise<void> {
  try {
    await store.put(parseKey(name), body(), { size: 2 * piece.length, ifAbsent: true });
    process.stdout.write(`${name}\n`);
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "conflict")) throw error;
  }
}

await Promise.all(Array.from({ length: Number(count) }, (_, n) => create(`contested/${n}`)));
await store.close();
