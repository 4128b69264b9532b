import assert from "node:assert/strict";
import { test } from "node:test";
import { luaScript, readRate } from "./wrk.ts";

test("requests are written as Lua", () => {
  const script = luaScript([
    { method: "GET", path: "/a?b=c" },
    { method: "POST", path: "/d", headers: { Accept: "e/f" }, body: '{"g":[]}' },
  ]);
  assert(script.includes(`  { "GET", "/a?b=c", {}, nil },\n`));
  assert(script.includes(`  { "POST", "/d", {["Accept"] = "e/f"}, "{\\"g\\":[]}" },\n`));
});

test("the rate is requests by time", () => {
  assert.equal(readRate("Running…\nRESULT 3000 requests, 2000000 microseconds, 0 failed\n"), 1500);
});

test("a run with failures, or without answers, has no rate", () => {
  assert.throws(() => readRate("RESULT 3000 requests, 2000000 microseconds, 1 failed\n"), /requests failed/);
  assert.throws(() => readRate("RESULT 0 requests, 2000000 microseconds, 0 failed\n"), /requests failed/);
  assert.throws(() => readRate("unable to connect"), /requests failed/);
});
