/**
 * The least that a server has to do with many objects that are to be durable, each a file of its own in the layout of the
 * store: hash, write, sync, give the name in one step without replacing anything, sync the folders. One after the other,
 * by blocking calls, with bytes that are in memory already: no network, no threads, no database.
 *
 *     node files-floor.ts COUNT SIZE TARGET      prints the seconds that it took, and those of CPU time
 */
import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const PIECE_BYTES = 1024 * 1024;

const [count = 0, size = 0] = process.argv.slice(2, 4).map(Number);
const target = process.argv[4] ?? "";
mkdirSync(join(target, "tmp"), { recursive: true });
const bytes = randomFillSync(Buffer.allocUnsafeSlow(size));
const began = { seconds: performance.now() / 1000, cpu: process.cpuUsage() };
for (let index = 0; index < count; index += 1) {
  // Another object each time.
  bytes.writeUInt32LE(index, 0);
  store(String(index));
}
const { user, system } = process.cpuUsage(began.cpu);
console.log(performance.now() / 1000 - began.seconds, (user + system) / 1e6);

function store(name: string): void {
  const temporary = join(target, "tmp", name);
  const hash = createHash("sha256");
  const file = openSync(temporary, "wx");
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    hash.update(piece);
    for (let done = 0; done < piece.length;) done += writeSync(file, piece, done);
  }
  fdatasyncSync(file);
  closeSync(file);
  const oid = hash.digest("hex");
  const outer = join(target, oid.slice(0, 2));
  const folder = join(outer, oid.slice(2, 4));
  const changed = existsSync(folder) ? [folder] : [folder, outer, target];
  mkdirSync(folder, { recursive: true });
  linkSync(temporary, join(folder, oid));
  for (const path of changed) syncFolder(path);
  unlinkSync(temporary);
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  fsyncSync(folder);
  closeSync(folder);
}
