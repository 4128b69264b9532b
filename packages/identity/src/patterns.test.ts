import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRepositoryName } from "@holdall/lfs-protocol";
import fc from "fast-check";
import { parsePattern } from "./patterns.ts";

/** The definition, as plainly as it can be written. */
function naive(pattern: readonly string[], name: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return name.length === 0;
  if (first !== "**") {
    return name[0] !== undefined && naiveSegment(first, name[0]) && naive(rest, name.slice(1));
  }
  const fewest = rest.length === 0 ? 1 : 0;
  for (let skip = fewest; skip <= name.length; skip++) if (naive(rest, name.slice(skip))) return true;
  return false;
}

function naiveSegment(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern.startsWith("*")) {
    return naiveSegment(pattern.slice(1), text) || (text !== "" && naiveSegment(pattern, text.slice(1)));
  }
  return text !== "" && pattern[0] === text[0] && naiveSegment(pattern.slice(1), text.slice(1));
}

describe("parsePattern", () => {
  const cases: [pattern: string, matches: string[], others: string[]][] = [
    ["team/app", ["team/app"], ["team", "app", "team/App", "team/app/docs", "x/team/app"]],
    ["team/app.git", ["team/app"], ["team/app/docs"]],
    ["team/*", ["team/app", "team/x"], ["team", "team/app/docs", "steam/app"]],
    ["team/app-*", ["team/app-", "team/app-ios"], ["team/app", "team/app-ios/x"]],
    ["*/*-assets-*", ["a/b-assets-c"], ["a/assets", "b-assets-c", "a/b-assets"]],
    ["a*a", ["aa", "aba", "a-a-a"], ["a", "ab"]],
    ["*ab*ab*", ["abab", "xabyabz"], ["ab", "aab", "abxa"]],
    ["**", ["a", "a/b", "a/b/c"], []],
    ["team/**", ["team/a", "team/a/b/c"], ["team", "teams/a", "x/team/a"]],
    ["**/assets", ["assets", "a/assets", "a/b/assets"], ["assets/a", "my-assets"]],
    ["a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "z", "a/z/b", "a/b/zz"]],
    ["a/**/b/*/**", ["a/b/c/d", "a/x/b/c/d/e"], ["a/b/c", "a/b"]],
    ["**/b/c/**/d", ["b/c/d", "b/b/c/x/d"], ["b/x/c/d", "b/c"]],
  ];
  for (const [pattern, matches, others] of cases) {
    it(`${pattern} matches what it says`, () => {
      for (const name of matches) assert.equal(parsePattern(pattern).matches(name), true, name);
      for (const name of others) assert.equal(parsePattern(pattern).matches(name), false, name);
    });
  }

  it("treats the signs of regular expressions and shells as ordinary characters", () => {
    assert.equal(parsePattern("a.c/[x]+?").matches("abc/xx"), false);
    assert.equal(parsePattern("a.c/[x]+?").matches("a.c/[x]+?"), true);
  });

  it("agrees with the naive definition", () => {
    const segment = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 6 });
    const wild = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 6 });
    const pattern = fc.array(fc.oneof(wild, fc.constant("**")), { minLength: 1, maxLength: 6 });
    let matched = 0;
    fc.assert(
      fc.property(pattern, fc.array(segment, { minLength: 1, maxLength: 7 }), (segments, name) => {
        fc.pre(segments.every((s, i) => (s === "**" ? segments[i - 1] !== "**" : !s.includes("**"))));
        const expected = naive(segments, name);
        if (expected) matched++;
        assert.equal(parsePattern(segments.join("/")).matches(name.join("/")), expected);
      }),
      { seed: 2, numRuns: 20_000 },
    );
    assert.ok(matched > 1000, `only ${matched} pairs matched`);
  });

  it("never matches another name than the one it spells, when it has no wildcard", () => {
    const name = fc
      .string({ maxLength: 20 })
      .map(parseRepositoryName)
      .filter((n) => n !== undefined && !n.includes("*"));
    fc.assert(
      fc.property(name, name, (a, b) => {
        assert.equal(parsePattern(a ?? "").matches(b ?? ""), a === b);
      }),
      { seed: 3, examples: [[parseRepositoryName("a/b"), parseRepositoryName("a/b")]] },
    );
  });

  it("takes milliseconds for what makes a backtracking matcher hang", () => {
    const within = parsePattern(`${"*a".repeat(95)}*b`);
    const across = parsePattern(`${"**/a/".repeat(150)}b`);
    const started = process.cpuUsage();
    for (let i = 0; i < 20; i++) {
      assert.equal(within.matches("a".repeat(1024)), false);
      assert.equal(across.matches("a/".repeat(511) + "a"), false);
    }
    const { user } = process.cpuUsage(started);
    assert.ok(user < 500_000, `${user} µs`);
  });

  const malformed: [pattern: string, reason: RegExp][] = [
    ["", /it is empty/],
    ["/team", /begins or ends with "\/"/],
    ["team/", /begins or ends with "\/"/],
    ["team//app", /has "\/\/"/],
    ["team**", /segment of its own/],
    ["team/***", /segment of its own/],
    ["**.git", /segment of its own/],
    ["a/**/**/b", /repeats "\*\*"/],
    ["../*", /do not begin with a dot/],
    ["team/.git", /no repository can be called so/],
    ["team/ app", /no repository can be called so/],
    ["team\\app", /no repository can be called so/],
    ["team/\u0000", /"team\/\\u0000"/],
    ["x".repeat(2000), /no repository can be called so/],
  ];
  for (const [pattern, reason] of malformed) {
    it(`refuses ${JSON.stringify(pattern.slice(0, 40))} and says why`, () => {
      assert.throws(() => parsePattern(pattern), { code: "invalid", message: reason });
    });
  }
});
