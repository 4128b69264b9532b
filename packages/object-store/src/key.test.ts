import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareKeys } from "./compare.ts";
import { withCode } from "./contract/contract-test.ts";
import { isKey, MAX_KEY_BYTES, parseKey } from "./key.ts";

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "empty text and empty segments": ["", "/", "//", "a//b", "a/", "a/b//"],
  "absolute paths": ["/a", "/etc/passwd", "//server/share"],
  traversal: [".", "..", "../a", "a/..", "a/../b", "./a", "a/./b", "a/."],
  "control characters": ["\0", "a\0b", "a\nb", "a\r", "\x1b[0m", "a\x7fb", "a\u0080b", "a\u009fb"],
  backslashes: ["\\", "a\\b", "..\\a", "C:\\a"],
  "half characters": ["\ud800", "a\udfff", "\udc00\ud800", "a/\ud83d/b"],
  "more than 1,024 bytes": [
    "x".repeat(1025),
    "é".repeat(513),
    "😀".repeat(257),
    "a/".repeat(600) + "a",
    "x".repeat(1e6),
  ],
};

for (const [what, texts] of Object.entries(REFUSED)) {
  test(`parseKey refuses ${what}`, () => {
    for (const text of texts) {
      assert.throws(() => parseKey(text), withCode("invalid"), JSON.stringify(text.slice(0, 40)));
      assert.equal(isKey(text), false);
    }
  });
}

test("parseKey takes everything else as it is, encoded text included", () => {
  const names = [
    "a",
    "a/b/c",
    "...",
    "..a",
    "a..",
    ".a/.b",
    "%2e%2e/%2F%00",
    "a b",
    "C:",
    "~",
    "日本/😀",
    "\u00a0",
    "\ufffd",
  ];
  for (const text of [...names, "x".repeat(MAX_KEY_BYTES), "😀".repeat(256)]) {
    assert.equal(parseKey(text), text);
    assert.equal(isKey(text), true);
  }
});

test("a refusal says what is wrong, and is short even when the key is not", () => {
  assert.throws(() => parseKey("a/../b"), { message: '"a/../b" is not an object key: a segment is ".."' });
  const refusal = (): unknown => parseKey("x".repeat(1e6));
  assert.throws(refusal, (error) => error instanceof Error && error.message.length < 300);
});

test("compareKeys is the order of the bytes in UTF-8", () => {
  const text = fc.string({ unit: "binary", maxLength: 6 });
  const near = fc.string({ unit: fc.constantFrom("a", "/", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}") });
  const any = fc.oneof(text, near);
  fc.assert(
    fc.property(any, any, (a, b) => {
      assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { seed: 20_260_103, numRuns: 1000 },
  );
});
