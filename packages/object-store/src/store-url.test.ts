import assert from "node:assert/strict";
import { test } from "node:test";
import { withCode } from "./contract/contract-test.ts";
import { formatStoreUrl, parseStoreUrl } from "./store-url.ts";

test("a store URL names memory or a folder", () => {
  assert.deepEqual(parseStoreUrl("memory:"), { kind: "memory" });
  assert.deepEqual(parseStoreUrl("file:///srv/holdall"), { kind: "file", path: "/srv/holdall" });
  assert.deepEqual(parseStoreUrl("file:///srv/a%20b/%C3%A9"), { kind: "file", path: "/srv/a b/é" });
  for (const path of ["/srv/a b", "/srv/100%", "/srv/a?b#c", "/srv/é"]) {
    assert.deepEqual(parseStoreUrl(formatStoreUrl({ kind: "file", path })), { kind: "file", path });
  }
});

test("a store URL names a place in a cloud", () => {
  for (const text of ["s3://my-bucket/lfs?region=eu-west-1", "gs://my-bucket/lfs", "az://account/container/lfs"]) {
    assert.equal(formatStoreUrl(parseStoreUrl(text)), text);
  }
});

test("anything else is invalid", () => {
  const texts = [
    "",
    "/srv",
    "srv",
    "file:",
    "file:srv",
    "file://srv/data",
    "file://localhost/data",
    "file:///a?b=c",
    "file:///a#b",
  ];
  for (const text of [...texts, "file:///a%2Fb", "file:///a%00b", "memory:x", "memory://", "ftp://host/a", "s3:"]) {
    assert.throws(() => parseStoreUrl(text), withCode("invalid"), text);
  }
});
