import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSecretKey } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../../../test/folder.ts";
import { assertBytes, bodyOf, bytesOf, collect, key, sha256Of } from "../../contract/contract-test.ts";
import { plainSize, SegmentCipher, SEGMENT, storedSize } from "./format.ts";
import { HEADER, makeHeader } from "./header.ts";
import { sealed } from "./sealed-body.ts";

const document = await readFile(new URL("../../../../../docs/design/encryption.md", import.meta.url), "utf8");

/** The bytes `first`, `first + 1`, … */
function counting(first: number): Buffer {
  return Buffer.from(Array.from({ length: 32 }, (_, i) => first + i));
}

const secret = counting(0);

/** What is stored of an object, with the key, the id, the salt and the name of the document. */
async function storedOf(bytes: Uint8Array): Promise<Buffer> {
  const header = makeHeader("2026-11", counting(32));
  const cipher = new SegmentCipher({ id: "2026-11", key: createSecretKey(secret) }, header, key);
  const { length: size } = bytes;
  return Buffer.concat(await collect(sealed(bodyOf(bytes), { size, header, cipher, handOver: false })));
}

test("what is stored is what docs/design/encryption.md says", async () => {
  const rows = [...document.matchAll(/^\| ([^|]+) \| ([\d,]+) \| `([0-9a-f]{64})` \| (?:`([0-9a-f]+)`)? ?\|$/gm)];
  const objects: Readonly<Record<string, Buffer>> = {
    nothing: Buffer.alloc(0),
    "`Hello, Holdall!` and a line feed": Buffer.from("Hello, Holdall!\n"),
    "65,536 times `a`": Buffer.alloc(65_536, "a"),
    "65,537 times `a`": Buffer.alloc(65_537, "a"),
  };
  assert.deepEqual(
    rows.map(([, name]) => name),
    Object.keys(objects),
  );
  for (const [, name = "", size = "", digest, segments] of rows) {
    const stored = await storedOf(objects[name] ?? Buffer.alloc(0));
    assert.equal(stored.length, Number(size.replaceAll(",", "")), name);
    assert.equal(sha256Of(stored), digest, name);
    if (segments !== undefined) assert.equal(stored.toString("hex", HEADER), segments, name);
  }
});

test("the script in docs/design/encryption.md decrypts objects, and nothing that was changed", async (t) => {
  const script = join(await temporaryFolder(t), "decrypt.mjs");
  await writeFile(script, /^```js\n(.*?)^```$/ms.exec(document)?.[1] ?? "");
  const decrypt = (stored: Uint8Array): { status: number | null; stdout: Buffer } =>
    spawnSync(process.execPath, [script, secret.toString("base64"), key], { input: stored });
  for (const size of [0, 1, SEGMENT, 2 * SEGMENT + 1]) {
    const bytes = bytesOf(size, size);
    const stored = await storedOf(bytes);
    const { status, stdout } = decrypt(stored);
    assert.equal(status, 0);
    assertBytes(stdout, bytes);
    assert.notEqual(decrypt(stored.subarray(0, -1)).status, 0);
  }
});

test("the size of an object follows from that of what is stored, and from no other", () => {
  const edges = [0, 1, 16, 17, HEADER, HEADER + 16, SEGMENT - 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT, 2 ** 45];
  const size = fc.oneof(fc.constantFrom(...edges), fc.nat({ max: 4 * SEGMENT }), fc.nat({ max: 2 ** 45 }));
  fc.assert(
    fc.property(size, fc.integer({ min: 1, max: 2 * SEGMENT }), (size, less) => {
      const stored = storedSize(size);
      assert.equal(plainSize(stored), size);
      // What was cut.
      assert.ok(size === 0 || plainSize(Math.max(0, stored - less)) < size);
      // What was never encrypted.
      assert.ok(size === 0 || plainSize(size) < size);
    }),
    { seed: 20_261_105, numRuns: 2000 },
  );
});
