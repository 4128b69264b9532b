import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTarget, repositoryFromPath } from "./urls.ts";

const OID = "a".repeat(64);

const CALLS = ["objects/batch", "objects/verify", "locks", "locks/verify", "locks/12/unlock"];
const NO_PATH_OF_OURS = ["/-/lfs", "/", "", "*", "/x/objects", "/x/objects/batch/", "/healthz/", "/objects/batch"];

/** The URL that Fastify gets. */
function apiUrl(target: string, basePath = ""): string | undefined {
  const parsed = parseTarget(target, basePath);
  return parsed?.kind === "api" ? parsed.url : undefined;
}

test("each call of the API is found behind a repository in both forms, with its query", () => {
  for (const call of CALLS) {
    for (const form of ["/team/app", "/team/app/info/lfs"]) {
      for (const query of ["", "?token=a/b?c"]) {
        assert.equal(apiUrl(`${form}/${call}${query}`), `/-/lfs/team%2Fapp/${call}${query}`);
      }
    }
    assert.equal(apiUrl(`/team/app.git/info/lfs/${call}`), `/-/lfs/team%2Fapp.git/${call}`);
  }
});

test("the bytes of an object are found in both forms, with the query as it is", () => {
  for (const form of ["/team/app", "/team/app/info/lfs", "http://host:1/team/app"]) {
    const object = { kind: "object", repository: "team/app", oid: OID };
    assert.deepEqual(parseTarget(`${form}/objects/${OID}`, ""), { ...object, query: "" });
    assert.deepEqual(parseTarget(`${form}/objects/${OID}?token=a/b?c`, ""), { ...object, query: "token=a/b?c" });
  }
  for (const oid of [OID.slice(1), `${OID}a`, OID.toUpperCase(), `${OID}/`]) {
    assert.equal(parseTarget(`/team/app/objects/${oid}`, ""), undefined, oid);
  }
});

test("what is encoded stays encoded, for whoever decodes it once", () => {
  assert.equal(apiUrl("/a%2Fb%20c/locks"), "/-/lfs/a%252Fb%2520c/locks");
});

test("a base path is dropped where it is, as whole segments", () => {
  assert.equal(apiUrl("/base/app/locks", "/base"), "/-/lfs/app/locks");
  assert.equal(apiUrl("/app/locks", "/base"), "/-/lfs/app/locks");
  assert.equal(apiUrl("/baseball/locks", "/base"), "/-/lfs/baseball/locks");
  assert.deepEqual(parseTarget("/base/healthz", "/base"), { kind: "own", url: "/healthz" });
});

test("no URL of a client reaches a route by its internal path", () => {
  for (const url of ["/-/lfs/app/locks", "/-/lfs/app/locks?x", "http://h/-/lfs/app/locks"]) {
    assert.match(apiUrl(url) ?? "", /^\/-\/lfs\/-%2Flfs%2Fapp\/locks/);
  }
  for (const url of NO_PATH_OF_OURS) assert.equal(parseTarget(url, ""), undefined, url);
});

test("a long URL is read in no time, whatever it is made of", () => {
  for (const piece of ["/info/lfs", "/locks", "/objects/batch", "/a", "/", "%2F"]) {
    const begun = performance.now();
    parseTarget(`${piece.repeat(20_000)}x`, "");
    assert.ok(performance.now() - begun < 1000, piece);
  }
});

test("the paths that are about the server are told from those of repositories", () => {
  for (const url of ["/healthz", "/readyz", "/readyz?x=1"]) {
    assert.deepEqual(parseTarget(url, ""), { kind: "own", url });
  }
  assert.equal(parseTarget("/healthz/locks", "")?.kind, "api");
});

test("a path is decoded once, and slashes that were encoded make it none", () => {
  assert.equal(repositoryFromPath("team/app.git"), "team/app");
  assert.equal(repositoryFromPath("gr%C3%B6%C3%9Fe"), "größe");
  assert.equal(repositoryFromPath("a%2520b"), "a%20b");
  for (const path of ["a%2Fb", "a%2fb", "%2e%2e", "a%00", "%zz", "%C3", "", "/a", "a/"]) {
    assert.equal(repositoryFromPath(path), undefined, path);
  }
});
