import assert from "node:assert/strict";
import { it } from "node:test";
import { FailureLimiter } from "./failure-limiter.ts";

it("a flood of names makes the limiter forget the oldest, not grow", () => {
  const limiter = new FailureLimiter({ failuresPerMinute: 1, clock: () => 0 });
  limiter.count("first");
  for (let i = 0; i < 9_999; i++) limiter.count(`name${i}`);
  assert.throws(() => limiter.count("first"), { code: "throttled" });
  limiter.count("one more");
  assert.throws(() => limiter.count("name9998"), { code: "throttled" });
  limiter.count("first");
});
