import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatListen, isLoopback, parseListen, parseNetwork } from "./address.ts";
import { ValueError } from "./errors.ts";
import { parsePublicUrl } from "./public-url.ts";

describe("listen addresses", () => {
  for (const [text, host, port] of [
    ["127.0.0.1:8080", "127.0.0.1", 8080],
    ["0.0.0.0:80", "0.0.0.0", 80],
    ["[::1]:8080", "::1", 8080],
    ["[::]:0", "::", 0],
    ["localhost:65535", "localhost", 65_535],
  ] as const) {
    test(`${text} is read, and formatted as it was`, () => {
      assert.deepEqual(parseListen(text), { host, port });
      assert.equal(formatListen({ host, port }), text);
    });
  }

  for (const text of [
    "",
    "8080",
    ":8080",
    "127.0.0.1",
    "127.0.0.1:",
    "::1:8080",
    "[localhost]:80",
    "a:65536",
    "a:-1",
  ]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseListen(text), ValueError));
  }
});

describe("loopback", () => {
  for (const host of ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "lfs.localhost", "::ffff:127.0.0.1"]) {
    test(`${host} is`, () => assert.equal(isLoopback(host), true));
  }
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "example.com",
    "localhost.example.com",
    "127.example",
  ]) {
    test(`${host} is not`, () => assert.equal(isLoopback(host), false));
  }
});

describe("proxy networks", () => {
  for (const text of ["10.0.0.7", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0"]) {
    test(`${text} is one`, () => assert.equal(parseNetwork(text), text));
  }
  for (const text of [
    "",
    "proxy",
    "10.0.0.0/33",
    "10.0.0.0/",
    "fd00::/129",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "10.0.0.1:80",
  ]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseNetwork(text), ValueError));
  }
});

describe("public URLs", () => {
  for (const [text, url] of [
    ["https://lfs.example.com", "https://lfs.example.com"],
    ["https://lfs.example.com/", "https://lfs.example.com"],
    ["http://[::1]:8080/lfs/", "http://[::1]:8080/lfs"],
  ] as const) {
    test(`${text} is one, without its trailing slash`, () => assert.equal(parsePublicUrl(text), url));
  }
  for (const text of ["lfs.example.com", "/lfs", "ftp://a", "https://", "https://a?", "https://a/?b", "https://a#b"]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parsePublicUrl(text), ValueError));
  }

  test("one with a password is refused without repeating it", () => {
    assert.throws(
      () => parsePublicUrl("https://alice:hunter2@a"),
      (error: Error) => !error.message.includes("hunter2"),
    );
  });
});
