import assert from "node:assert/strict";
import { test } from "node:test";
import { median, medianRatio } from "./statistics.ts";

test("the median is the middle value, whatever the order", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([10, 9, 100]), 10);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("there is no median of nothing", () => {
  assert.throws(() => median([]), RangeError);
});

test("a ratio pairs the rounds, so a slow minute for both changes nothing", () => {
  // The third round ran at half speed for both; the medians alone would say 45 / 100.
  assert.equal(medianRatio([80, 40, 45], [100, 100, 50]), 0.8);
});

test("rounds that cannot be paired are refused", () => {
  assert.throws(() => medianRatio([1, 2], [1]), RangeError);
});
