/**
 * The least that any server has to do with an upload: read the bytes, hash them, write them, make them durable.
 *
 *     node copy-floor.ts SOURCE TARGET      prints the seconds that it took
 */
import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";

const CHUNK_BYTES = 4 * 1024 * 1024;

const [source = "", target = ""] = process.argv.slice(2);
const started = performance.now();
const from = openSync(source, "r");
const to = openSync(target, "wx");
const hash = createHash("sha256");
const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
for (let count = readSync(from, buffer); count > 0; count = readSync(from, buffer)) {
  const chunk = buffer.subarray(0, count);
  hash.update(chunk);
  for (let done = 0; done < count;) done += writeSync(to, chunk, done);
}
hash.digest();
fdatasyncSync(to);
console.log((performance.now() - started) / 1000);
closeSync(from);
closeSync(to);
