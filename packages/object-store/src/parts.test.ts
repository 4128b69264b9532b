import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, MiB } from "./contract/contract-test.ts";
import { PART_SIZE, partSizeFor, readWhole, sendParts } from "./parts.ts";

async function* chunked(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

test("a body is cut into parts of one size, however its chunks come", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 1, max: 120 }),
      fc.array(fc.integer({ min: 0, max: 200 })),
      async (size, partSize, sizes) => {
        const bytes = bytesOf(1, size);
        const parts = await sendParts(chunked(bytes, sizes), partSize, async (part, number) => ({
          part: Buffer.from(part),
          number,
        }));
        assert.deepEqual(Buffer.concat(parts.map(({ part }) => part)), bytes);
        assert.deepEqual(
          parts.map(({ number }) => number),
          parts.map((_, i) => i + 1),
        );
        for (const { part } of parts.slice(0, -1)) assert.equal(part.length, partSize);
        assert.equal(parts.length, Math.ceil(size / partSize));
        assert.deepEqual(Buffer.from(await readWhole(chunked(bytes, sizes))), bytes);
      },
    ),
  );
});

test("at most four parts are on their way, and the body waits for them", async () => {
  let read = 0;
  const body = async function* (): AsyncGenerator<Uint8Array> {
    for (; read < 20; read += 1) yield new Uint8Array(10);
  };
  const waiting: (() => void)[] = [];
  const sent: number[] = [];
  const done = sendParts(body(), 10, async (_, number) => {
    sent.push(number);
    await new Promise<void>((resolve) => waiting.push(resolve));
  });
  while (sent.length < 20) {
    await new Promise(setImmediate);
    assert.ok(waiting.length <= 4, `${waiting.length}`);
    assert.ok(read <= sent.length + 1, `${read} read when ${sent.length} were sent`);
    waiting.shift()?.();
  }
  for (const go of waiting) go();
  assert.equal((await done).length, 20);
});

test("a part that fails stops the reading, and the others are told and waited for", async () => {
  const error = new Error("no");
  let read = 0;
  let returned = false;
  const body = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (; read < 100; read += 1) yield new Uint8Array(10);
    } finally {
      returned = true;
    }
  };
  let over = false;
  const sending = sendParts(body(), 10, async (_, number, signal) => {
    if (number === 2) throw error;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => setImmediate(resolve)));
    over = true;
  });
  await assert.rejects(sending, (thrown) => thrown === error);
  assert.ok(over && returned);
  assert.ok(read < 10, `${read}`);
});

test("a body that fails ends the sending with its own error", async () => {
  const error = new Error("the body's own");
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(25);
    throw error;
  };
  await assert.rejects(
    sendParts(body(), 10, async () => undefined),
    (thrown) => thrown === error,
  );
});

test("the largest objects get larger parts rather than too many", () => {
  assert.equal(partSizeFor(1, { most: 10_000 }), 8 * MiB);
  assert.equal(partSizeFor(80_000 * MiB, { most: 10_000 }), 8 * MiB);
  const size = partSizeFor(5 * 1024 * 1024 * MiB, { most: 10_000 });
  assert.ok(Math.ceil((5 * 1024 * 1024 * MiB) / size) <= 10_000 && size % MiB === 0, `${size}`);
});

test("whatever a store takes as one object goes in parts that it takes", () => {
  const GiB = 1024 * MiB;
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
  const [least, largest, most] = [5 * MiB, 5 * GiB, 10_000];
  const legal = (size: number): void => {
    const partSize = partSizeFor(size, { most });
    const count = Math.ceil(size / partSize);
    assert.ok(partSize >= least && partSize <= largest && count <= most, `${count} parts of ${partSize} for ${size}`);
    const last = size - (count - 1) * partSize;
    assert.ok(last > 0 && last <= partSize, `${last}`);
  };
  for (const size of [5 * GiB, 5 * GiB + 1, 80_000 * MiB, 80_000 * MiB + 1, largest * most]) legal(size);
  fc.assert(fc.property(fc.integer({ min: PART_SIZE + 1, max: largest * most }), legal));
});

test("chunks that are given away are freed, and those that share their memory are not", async () => {
  const whole = new Uint8Array(100);
  const [own, shared] = [new Uint8Array(30), whole.subarray(0, 30)];
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield own;
    yield shared;
  };
  assert.equal((await sendParts(body(), 1000, async (part) => part.length, { handOver: true }))[0], 60);
  assert.deepEqual([own.length, whole.length], [0, 100]);
});
