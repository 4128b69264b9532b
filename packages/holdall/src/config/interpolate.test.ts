import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ValueError } from "./errors.ts";
import { interpolate } from "./interpolate.ts";

const env = { HOME: "/home/me", EMPTY: "", TRICKY: "${HOME} $& $1" };

describe("interpolation", () => {
  for (const [text, result] of [
    ["${HOME}/x", "/home/me/x"],
    ["${HOME}${HOME}", "/home/me/home/me"],
    ["${UNSET:-fallback}", "fallback"],
    ["${EMPTY:-fallback}", "fallback"],
    ["${UNSET:-}", ""],
    ["${HOME:-fallback}", "/home/me"],
    ["<${EMPTY}>", "<>"],
    ["$${HOME}", "${HOME}"],
    ["$${", "${"],
    // A value is put in as it is, whatever it looks like.
    ["${TRICKY}", "${HOME} $& $1"],
  ] as const) {
    test(`${text} gives ${JSON.stringify(result)}`, () => assert.equal(interpolate(text, env), result));
  }

  for (const text of ["", "plain", "$HOME", "$$", "{HOME}", "a$b{c}"]) {
    test(`${JSON.stringify(text)} names no variable`, () => assert.equal(interpolate(text, env), undefined));
  }

  test("every variable that is unset is named, with what to do", () => {
    assert.throws(() => interpolate("${ONE}-${HOME}-${TWO}", env), {
      name: "ValueError",
      message: "${ONE}, ${TWO} is not set in the environment; set it, or write ${ONE:-default}",
    });
  });

  for (const text of ["${", "${}", "${HOME", "${1A}", "${HOME:=x}", "a ${HO ME}"]) {
    test(`${text} is refused`, () => assert.throws(() => interpolate(text, env), ValueError));
  }
});
