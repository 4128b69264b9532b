import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, textOf } from "./line-text.ts";
import { unquoted } from "./unquote.ts";

test("whatever bytes git says, the same are said to git", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => Buffer.compare(bytesOf(textOf(bytes)), bytes) === 0));
});

test("text is text, and what is none is told from it", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => textOf(Buffer.from(text)) === text));
  assert.equal(textOf(Buffer.from("\ufeffa")), "\ufeffa");
  for (const bytes of ["caf\xe9", "\xed\xb3\xa9", "\xff"]) {
    assert.equal(textOf(Buffer.from(bytes, "latin1")).isWellFormed(), false);
  }
});

test("what git has quoted is the same bytes", () => {
  const name = textOf(Buffer.from("caf\xe9", "latin1"));
  assert.equal(unquoted('"caf\\351"'), name);
  assert.equal(unquoted(`"${name}\\n"`), `${name}\n`);
  assert.equal(unquoted('"caf\\303\\251"'), "café");
});
