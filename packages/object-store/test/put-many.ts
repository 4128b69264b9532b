/** Puts objects named by their SHA-256 until it is killed, and prints each key once its put has succeeded. */
import { createHash } from "node:crypto";
import { FsStore, parseKey, VerifyLayer } from "../src/index.ts";

const [root = "", seed = ""] = process.argv.slice(2);
const store = new VerifyLayer(new FsStore(root));

const PIECE = 50_000;

function pieceOf(name: string): Buffer {
  return createHash("shake128", { outputLength: PIECE }).update(name).digest();
}

async function* body(piece: Buffer, count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield piece;
}

async function* endless(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(2 * 1024 * 1024);
  process.stdout.write("begun\n");
  await new Promise<never>(() => undefined);
}

async function putOne(name: string, count: number): Promise<void> {
  const piece = pieceOf(name);
  const hash = createHash("sha256");
  for (let i = 0; i < count; i++) hash.update(piece);
  const sha256 = hash.digest("hex");
  const key = parseKey(`objects/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}`);
  await store.put(key, body(piece, count), { size: count * PIECE, sha256, ifAbsent: true });
  process.stdout.write(`${key}\n`);
}

// One that is certainly under way when the end comes.
const never = store.put(parseKey("never"), endless(), { size: 3 * 1024 * 1024 });
await Promise.all([
  never,
  ...Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; ; i++) await putOne(`${seed} ${writer} ${i}`, 1 + ((i * 7 + writer) % 40));
  }),
]);
