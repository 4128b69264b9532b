import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange, type Span } from "./range-header.ts";

const CASES: ReadonlyArray<
  readonly [header: string | undefined, size: number, expected: Span | "unsatisfiable" | undefined]
> = [
  [undefined, 10, undefined],
  ["bytes=0-9", 10, { start: 0, end: 9 }],
  ["bytes=0-0", 10, { start: 0, end: 0 }],
  ["bytes=9-", 10, { start: 9, end: 9 }],
  ["bytes=3-99", 10, { start: 3, end: 9 }],
  ["bytes=-1", 10, { start: 9, end: 9 }],
  ["bytes=-99", 10, { start: 0, end: 9 }],
  ["BYTES=1-2", 10, { start: 1, end: 2 }],
  ["bytes=5000000000-", 6_000_000_000, { start: 5_000_000_000, end: 5_999_999_999 }],
  ["bytes=10-", 10, "unsatisfiable"],
  ["bytes=10-20", 10, "unsatisfiable"],
  ["bytes=-0", 10, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=-5", 0, "unsatisfiable"],
  ["bytes=3-2", 10, undefined],
  ["bytes=-", 10, undefined],
  ["bytes=0-1,3-4", 10, undefined],
  ["lines=0-1", 10, undefined],
  ["", 10, undefined],
];

for (const [header, size, expected] of CASES) {
  test(`${header ?? "no Range header"} of ${size} bytes`, () => {
    assert.deepEqual(parseRange(header, size), expected);
  });
}
