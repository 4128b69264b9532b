import assert from "node:assert/strict";
import { test } from "node:test";
import { isOwnPath, repositoryFromPath, rewriteLfsUrl } from "./urls.ts";

const OID = "a".repeat(64);

const CALLS = ["objects/batch", "objects/verify", `objects/${OID}`, "locks", "locks/verify", "locks/12/unlock"];

test("each call of the API is found behind a repository in both forms, with its query", () => {
  for (const call of CALLS) {
    for (const form of ["/team/app", "/team/app/info/lfs"]) {
      for (const query of ["", "?token=a/b?c"]) {
        assert.equal(rewriteLfsUrl(`${form}/${call}${query}`, ""), `/-/lfs/team%2Fapp/${call}${query}`);
      }
    }
    assert.equal(rewriteLfsUrl(`/team/app.git/info/lfs/${call}`, ""), `/-/lfs/team%2Fapp.git/${call}`);
  }
});

test("what is encoded stays encoded, for whoever decodes it once", () => {
  assert.equal(rewriteLfsUrl("/a%2Fb%20c/locks", ""), "/-/lfs/a%252Fb%2520c/locks");
});

test("a base path is dropped where it is, as whole segments", () => {
  assert.equal(rewriteLfsUrl("/base/app/locks", "/base"), "/-/lfs/app/locks");
  assert.equal(rewriteLfsUrl("/app/locks", "/base"), "/-/lfs/app/locks");
  assert.equal(rewriteLfsUrl("/baseball/locks", "/base"), "/-/lfs/baseball/locks");
  assert.equal(rewriteLfsUrl("/base/healthz", "/base"), "/healthz");
});

test("no URL of a client reaches a route by its internal path", () => {
  for (const url of ["/-/lfs/app/locks", "/-/lfs/app/locks?x", "http://h/-/lfs/app/locks"]) {
    assert.match(rewriteLfsUrl(url, ""), /^\/-\/lfs\/-%2Flfs%2Fapp\/locks/);
  }
  for (const url of ["/-/lfs", "/-/nothing-here", "/", "", "*", "/x/objects", "/x/objects/batch/"]) {
    assert.equal(rewriteLfsUrl(url, ""), "/-/nothing-here");
  }
});

test("a long URL is read in no time, whatever it is made of", () => {
  for (const piece of ["/info/lfs", "/locks", "/objects/batch", "/a", "/", "%2F"]) {
    const begun = performance.now();
    rewriteLfsUrl(`${piece.repeat(20_000)}x`, "");
    assert.ok(performance.now() - begun < 1000, piece);
  }
});

test("the paths that are about the server are told from those of repositories", () => {
  for (const url of ["/healthz", "/readyz", "/readyz?x=1"]) assert.ok(isOwnPath(url));
  for (const url of ["/-/lfs/healthz/locks", "/healthz/", "/"]) assert.ok(!isOwnPath(url));
});

test("a path is decoded once, and slashes that were encoded make it none", () => {
  assert.equal(repositoryFromPath("team/app.git"), "team/app");
  assert.equal(repositoryFromPath("gr%C3%B6%C3%9Fe"), "größe");
  assert.equal(repositoryFromPath("a%2520b"), "a%20b");
  for (const path of ["a%2Fb", "a%2fb", "%2e%2e", "a%00", "%zz", "%C3", "", "/a", "a/"]) {
    assert.equal(repositoryFromPath(path), undefined, path);
  }
});
