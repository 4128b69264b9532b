import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ValueError } from "./errors.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const SEED = { seed: 20_261_121 };

describe("durations", () => {
  for (const [text, milliseconds] of [
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["12h", 43_200_000],
    ["90d", 7_776_000_000],
  ] as const) {
    test(`${text} is ${milliseconds} ms`, () => assert.equal(parseDuration(text), milliseconds));
  }

  for (const text of [
    "",
    "30",
    "s",
    "-1s",
    "1.5h",
    "1h30m",
    "5 m",
    "5M",
    "1w",
    "1e3s",
    "36501d",
    `${"9".repeat(400)}s`,
  ]) {
    test(`${JSON.stringify(text.slice(0, 20))} is refused`, () => assert.throws(() => parseDuration(text), ValueError));
  }

  test("what is formatted reads back as the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 36_500 * 86_400_000 }), (milliseconds) => {
        assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
      }),
      SEED,
    );
  });

  test("the shortest text is chosen", () => {
    assert.deepEqual([0, 90_000, 120_000, 7_200_000, 172_800_000].map(formatDuration), ["0s", "90s", "2m", "2h", "2d"]);
  });
});

describe("sizes", () => {
  for (const [text, bytes] of [
    ["0", 0],
    ["1000", 1000],
    ["512B", 512],
    ["64KiB", 65_536],
    ["4MiB", 4_194_304],
    ["1GiB", 1_073_741_824],
    ["8191TiB", 8191 * 2 ** 40],
  ] as const) {
    test(`${text} is ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));
  }

  for (const text of ["", "KiB", "4MB", "4M", "4mib", "-1", "1.5MiB", "4 MiB", "8192TiB", "1e6"]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseSize(text), ValueError));
  }

  test("what is formatted reads back as the same", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => assert.equal(parseSize(formatSize(bytes)), bytes)),
      SEED,
    );
  });
});
