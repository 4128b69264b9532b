import assert from "node:assert/strict";
import { test } from "node:test";
import { matches } from "./rules.ts";

test("a rule for a name with a hyphen is for that name", () => {
  assert.equal(matches("refs/heads/release-1.0", "refs/heads/release-1.0"), true);
  assert.equal(matches("refs/heads/release-*", "refs/heads/release-2"), true);
  assert.equal(matches("refs/heads/release-1.0", "refs/heads/release-1x0"), false);
});

test("characters of a name that mean something to regular expressions mean themselves", () => {
  for (const character of "-+()$|{}!,;=&%#@<>'\"`") {
    const ref = `refs/heads/a${character}b`;
    assert.equal(matches(ref, ref), true, ref);
    assert.equal(matches(ref, "refs/heads/ab"), false, ref);
    assert.equal(matches(ref, "refs/heads/aab"), false, ref);
  }
});
