import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRemoteUrl } from "./remote-url.ts";

test("a remote's URL is a store's, with what is said to the remote taken out of it", () => {
  const plain = parseRemoteUrl("s3://bucket/a/b");
  assert.deepEqual([plain.layout, plain.zip, plain.singleWriter], [undefined, false, false]);
  const said = parseRemoteUrl("holdall::s3://bucket/a/b?layout=bundles&region=eu-west-1&singleWriter=true");
  assert.deepEqual([said.layout, said.zip, said.singleWriter], ["bundles", false, true]);
  assert.deepEqual(said.store, parseRemoteUrl("s3://bucket/a/b?region=eu-west-1").store);
  assert.deepEqual(parseRemoteUrl("s3://bucket/a/b?layout=packs").layout, "packs");
});

test("singleWriter=false is none", () => {
  assert.equal(parseRemoteUrl("s3://bucket/a?singleWriter=false").singleWriter, false);
});

test("s3+zip is the layout of git-remote-s3 with archives, and no other", () => {
  const zip = parseRemoteUrl("s3+zip://bucket/a");
  assert.deepEqual([zip.layout, zip.zip, zip.store], ["bundles", true, parseRemoteUrl("s3://bucket/a").store]);
  assert.throws(() => parseRemoteUrl("s3+zip://bucket/a?layout=packs"), /contradicts/);
});

test("what no remote can be is refused", () => {
  for (const url of [
    "memory:",
    "holdall::memory:",
    "s3://bucket/a?layout=other",
    "s3://bucket/a?singleWriter=yes",
    "s3://bucket/a?singleWriter",
  ]) {
    assert.throws(() => parseRemoteUrl(url), { code: "invalid" }, url);
  }
});

test("a URL of no store is told what remotes can be, which is not memory", () => {
  for (const url of ["holdall::s4://bucket/a", "holdall::/srv/a"]) {
    const forms =
      /is not a store URL: write file:\/\/\/absolute\/path, s3:\/\/bucket\[\/prefix\], gs:.* or az:(?!.*memory)/;
    assert.throws(() => parseRemoteUrl(url), { message: forms }, url);
  }
});
