/** Puts many large objects at once and prints by how many bytes that made this process grow at most. */
import { FsStore, parseKey, VerifyLayer } from "../src/index.ts";
import { createHash } from "node:crypto";

const [root = "", count = "", size = ""] = process.argv.slice(2);
const CHUNK = 64 * 1024;
const chunks = Number(size) / CHUNK;
const store = new VerifyLayer(new FsStore(root));

async function* body(): AsyncGenerator<Uint8Array> {
  // New memory each, as from a socket.
  for (let i = 0; i < chunks; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    yield Buffer.allocUnsafeSlow(CHUNK).fill(1);
  }
}

const hash = createHash("sha256");
for (let i = 0; i < chunks; i++) hash.update(Buffer.alloc(CHUNK, 1));
const sha256 = hash.digest("hex");

await store.put(parseKey("first"), body(), { size: Number(size), sha256 });
const before = process.memoryUsage.rss();
let highest = before;
const watch = setInterval(() => (highest = Math.max(highest, process.memoryUsage.rss())), 10);
await Promise.all(
  Array.from({ length: Number(count) }, (_, i) =>
    store.put(parseKey(`objects/${i}`), body(), { size: Number(size), sha256, ifAbsent: true }),
  ),
);
clearInterval(watch);
await store.close();
process.stdout.write(`${highest - before}\n`);
