import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodePkt, MAX_PKT_PAYLOAD, type Pkt, pktLine, PktLineError, readPkts } from "./pkt-line.ts";

async function* cut(bytes: Uint8Array, at: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const to of [...at.map((one) => one % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}

const all = (bytes: Uint8Array, at: readonly number[] = []): Promise<Pkt[]> =>
  Array.fromAsync(readPkts(cut(bytes, at)));

test("a line has its length in front, as the documentation shows it", () => {
  assert.equal(pktLine("a\n").toString(), "0006a\n");
  assert.equal(pktLine("foobar\n").toString(), "000bfoobar\n");
  assert.equal(pktLine("").toString(), "0004");
  assert.equal(pktLine(new Uint8Array(MAX_PKT_PAYLOAD)).subarray(0, 4).toString(), "fff0");
  assert.throws(() => pktLine(new Uint8Array(MAX_PKT_PAYLOAD + 1)), PktLineError);
});

test("lines and marks come back as they were, however the stream is cut", async () => {
  const pkt = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes): Pkt => ({ kind: "line", bytes })),
    fc.constantFrom("flush" as const, "delimiter" as const, "response-end" as const).map((kind): Pkt => ({ kind })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(pkt), fc.array(fc.nat()), async (pkts, at) => {
      assert.deepEqual(await all(Buffer.concat(pkts.map(encodePkt)), at), pkts);
    }),
    { seed: 1 },
  );
});

test("marks are four digits", () => {
  const kinds = ["flush", "delimiter", "response-end"] as const;
  assert.deepEqual(
    kinds.map((kind) => encodePkt({ kind }).toString()),
    ["0000", "0001", "0002"],
  );
});

test("what is no line is refused", async () => {
  for (const text of ["0003", "000g", "-001", "fff5", "00", "0005", "0010short"]) {
    await assert.rejects(all(Buffer.from(text)), PktLineError, text);
  }
});
