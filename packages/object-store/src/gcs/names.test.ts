import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareKeys } from "../compare.ts";
import { withCode } from "../contract/contract-test.ts";
import { isKey, parseKey } from "../key.ts";
import { mayBeginKey, Names } from "./names.ts";

test("an object is below the prefix, and has its key back", () => {
  const key = parseKey("objects/a b");
  for (const [prefix, name] of [
    [undefined, "objects/a b"],
    ["some/prefix", "some/prefix/objects/a b"],
  ] as const) {
    const names = new Names(prefix);
    assert.equal(names.of(key), name);
    assert.equal(names.keyOf(name), key);
  }
  const names = new Names("some/prefix");
  for (const name of [
    "objects/a b",
    "some/prefixes/a",
    "some/prefix/",
    "some/prefix//a",
    "some/prefix/.holdall/parts/a",
  ]) {
    assert.equal(names.keyOf(name), undefined, name);
  }
});

test("what Cloud Storage or the adapter cannot have as a name is refused", () => {
  assert.throws(() => new Names(undefined).of(parseKey(".holdall/a")), withCode("invalid"));
  assert.throws(() => new Names("p").of(parseKey(".holdall/a")), withCode("invalid"));
  const longest = parseKey("x".repeat(1024));
  assert.equal(new Names(undefined).of(longest), longest);
  assert.throws(() => new Names("p").of(longest), withCode("invalid"));
});

test("a listing after a text misses no key, whatever the text", () => {
  const unit = fc.oneof(
    fc.constantFrom("a", "/", "é", "\u{10000}", "\uffee", "\ud800", "\udc00", "\0", "\\"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  const text = fc.oneof(fc.string({ unit, maxLength: 8 }), fc.string({ unit, minLength: 500, maxLength: 1500 }));
  const key = fc.string({ unit, minLength: 1, maxLength: 8 }).filter(isKey);
  fc.assert(
    fc.property(fc.constantFrom(undefined, "p", "x".repeat(1000)), text, key, (prefix, after, key) => {
      const names = new Names(prefix);
      const offset = names.offset(after) ?? "";
      assert.ok(Buffer.byteLength(offset) <= 1024);
      assert.ok(offset.isWellFormed());
      if (compareKeys(key, after.toWellFormed()) > 0 && compareKeys(key, after) > 0) {
        assert.ok(Buffer.compare(Buffer.from(names.base + key), Buffer.from(offset)) >= 0);
      }
    }),
    { seed: 20_260_105, numRuns: 2000 },
  );
});

test("a text begins a key, or none ever", () => {
  for (const text of ["", "a", "a/", "a/.", "..", "...", "é", "x".repeat(1024)]) assert.ok(mayBeginKey(text), text);
  for (const text of ["/", "a//", "./", "../", "a/../", "\0", "a\\", "\ud800", "x".repeat(1025)]) {
    assert.ok(!mayBeginKey(text), text);
  }
});
