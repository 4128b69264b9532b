import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Bench } from "../test/bench.ts";
import { openBundle, writeBundle } from "./bundle-file.ts";

const what = "the bundle";

/** A body in pieces of these sizes, that tells whether it was given back. */
function inPieces(
  bytes: Uint8Array,
  sizes: readonly number[],
): { body: AsyncIterable<Uint8Array>; state: { over: boolean } } {
  const state = { over: false };
  const body = (async function* () {
    try {
      let at = 0;
      for (let turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        yield bytes.subarray(at, at + size);
        at += size;
      }
    } finally {
      state.over = true;
    }
  })();
  return { body, state };
}

const header = "# v2 git bundle\n0123456789012345678901234567890123456789 refs/heads/main\n\n";

test("however a bundle comes in pieces, its pack comes out whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }),
      fc.uint8Array({ maxLength: 300 }),
      async (sizes, pack) => {
        const { body, state } = inPieces(Buffer.concat([Buffer.from(header), pack]), sizes);
        const opened = await openBundle(body, { what, format: "sha1" });
        assert.deepEqual(Buffer.concat(await Array.fromAsync(opened.pack)), Buffer.from(pack));
        assert.ok(state.over);
      },
    ),
    { seed: 3 },
  );
});

test("what is no bundle, or not all of one, is refused, and its body given back", async () => {
  const oid = "0".repeat(40);
  for (const [text, message] of [
    ["", /ends before/],
    [header.slice(0, -1), /ends before/],
    ["# v4 git bundle\n\nPACK", /is no bundle/],
    ["PACK\n\n", /is no bundle/],
    [`# v2 git bundle\n-${oid} cut\n${oid} refs/heads/main\n\nPACK`, /only an addition/],
    [`# v3 git bundle\n@filter=blob:none\n${oid} refs/heads/main\n\nPACK`, /needs filter=blob:none/],
    [`# v3 git bundle\n@object-format=sha256\n${oid} refs/heads/main\n\nPACK`, /named by sha256/],
    ["x".repeat(1024 * 1024 + 10), /is no bundle/],
  ] as const) {
    const { body, state } = inPieces(Buffer.from(text), [4096]);
    await assert.rejects(openBundle(body, { what, format: "sha1" }), { code: "corrupt", message });
    assert.ok(state.over, text.slice(0, 60));
  }
});

test("a reader who stops early gives the body back", async () => {
  const { body, state } = inPieces(Buffer.from(`${header}${"x".repeat(1000)}`), [100]);
  const { pack } = await openBundle(body, { what, format: "sha1" });
  for await (const _ of pack) break;
  assert.ok(state.over);
});

test("a bundle that was written is one to git, of a branch, a tag and anything else", async (t) => {
  const bench = await Bench.create(t);
  await bench.commit("one");
  bench.do("tag", "-a", "-m", "First", "v1");
  for (const [name, revision] of [
    ["branch", "main"],
    ["tag", "v1"],
    ["tree", "main^{tree}"],
  ] as const) {
    const oid = bench.do("rev-parse", revision);
    const path = join(bench.folder, ".git", name);
    const size = await writeBundle(bench.git, path, { oid, ref: "refs/heads/any" });
    assert.equal((await readFile(path)).length, size);
    assert.equal(bench.do("bundle", "list-heads", path), `${oid} refs/heads/any`);
    bench.do("bundle", "verify", "--quiet", path);
  }
});
