import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { isRefName, RefNames } from "./ref-name.ts";

/** What git itself says. */
function gitTakes(name: string): boolean {
  return spawnSync("git", ["check-ref-format", name]).status === 0;
}

test("names are those that git takes", () => {
  const part = fc.oneof(
    fc.constantFrom(
      "a",
      "heads",
      "é",
      ".a",
      "a.",
      "a.lock",
      ".lock",
      "a..b",
      "@",
      "@{",
      "a@{b",
      "-",
      "a b",
      "\u{1f600}",
      "lock",
    ),
    fc.string({ unit: fc.constantFrom(..."ab.@{}~^:?*[\\/ \t\n\x7f-".split("")), minLength: 1, maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const name = `refs/${parts.join("/")}`;
      assert.equal(isRefName(name), gitTakes(name), JSON.stringify(name));
    }),
    { seed: 3, numRuns: 400 },
  );
});

test("names that git takes may still be none for others", () => {
  for (const name of [
    "HEAD",
    "heads/main",
    "refs",
    "refs/",
    "refs/heads/\ud800",
    `refs/heads/${"x".repeat(1100)}`,
    "refs/a\0b",
  ]) {
    assert.equal(isRefName(name), false, JSON.stringify(name));
  }
});

test("a name is in the way of those below it and above it, for as long as it is there", () => {
  const names = new RefNames(["refs/heads/a/b", "refs/heads/a/c", "refs/heads/x"]);
  assert.equal(names.inTheWayOf("refs/heads/a"), "refs/heads/a/b");
  assert.equal(names.inTheWayOf("refs/heads/x/y/z"), "refs/heads/x");
  for (const name of ["refs/heads/x", "refs/heads/a/b", "refs/heads/ab", "refs/heads/a-b/c", "refs/heads/xy/z"]) {
    assert.equal(names.inTheWayOf(name), undefined, name);
  }
  names.delete("refs/heads/a/b");
  assert.equal(names.inTheWayOf("refs/heads/a"), "refs/heads/a/c");
  names.delete("refs/heads/a/c");
  names.delete("refs/heads/none");
  assert.equal(names.inTheWayOf("refs/heads/a"), undefined);
  names.add("refs/heads/a");
  assert.equal(names.inTheWayOf("refs/heads/a/b"), "refs/heads/a");
});
