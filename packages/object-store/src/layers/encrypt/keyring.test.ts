import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { StorageError } from "../../errors.ts";
import { keyOf } from "./fixtures/keys.ts";
import { Keyring, parseEncryptionKey, parseKeyId } from "./keyring.ts";

test("a key is read from base64, with or without padding and of either alphabet, and from hexadecimal digits", () => {
  for (let i = 0; i < 50; i++) {
    const bytes = randomBytes(32);
    const base64 = bytes.toString("base64");
    for (const text of [
      base64,
      base64.replace("=", ""),
      bytes.toString("base64url"),
      bytes.toString("hex"),
      bytes.toString("hex").toUpperCase(),
    ]) {
      assert.deepEqual(parseEncryptionKey(text).export(), bytes);
    }
  }
});

test("what is no key is refused, and not shown", () => {
  const bytes = randomBytes(32);
  const base64 = bytes.toString("base64");
  for (const text of [
    "",
    "correct horse battery staple correct horse b",
    base64.slice(1),
    `${base64}=`,
    ` ${base64}`,
    base64.replace(/.=$/, "B="),
    randomBytes(31).toString("base64"),
    randomBytes(33).toString("base64"),
    randomBytes(16).toString("hex"),
    bytes.toString("hex").replace(/^./, "g"),
  ]) {
    assert.throws(
      () => parseEncryptionKey(text),
      (error) => {
        assert.ok(error instanceof StorageError && error.code === "invalid");
        assert.ok(text === "" || !error.message.includes(text));
        return true;
      },
      text,
    );
  }
});

test("a key id has up to 32 plain characters", () => {
  for (const id of ["a", "2026-11", "A.b_c-1", "x".repeat(32)]) assert.equal(parseKeyId(id), id);
  for (const id of ["", "-a", ".a", "a b", "ä", "a\0", "a\n", "x".repeat(33)]) {
    assert.throws(() => parseKeyId(id), { code: "invalid" }, JSON.stringify(id));
  }
});

test("keys have different ids, and one of them is the current one", () => {
  const [a, b] = [keyOf("a"), keyOf("b")];
  const keyring = new Keyring({ current: "b", keys: [a, b] });
  assert.deepEqual([keyring.current, keyring.find("a"), keyring.find("c")], [b, a, undefined]);
  assert.throws(() => new Keyring({ current: "a", keys: [a, b, { ...b, id: "a" }] }), {
    code: "invalid",
    message: "two keys have the id a: give each one of its own",
  });
  assert.throws(() => new Keyring({ current: "c", keys: [a, b] }), {
    code: "invalid",
    message: /no key with the id c/,
  });
});
