import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import {
  BatchResponse,
  ListLocksResponse,
  LockResponse,
  parseRepositoryName,
  type RepositoryName,
} from "@holdall/lfs-protocol";
import { message, refusal } from "../support/messages.ts";
import { repositoryNamed } from "../support/names.ts";
import { exchange, statusOf } from "../support/raw-connection.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start();
after(() => server[Symbol.asyncDispose]());
const user = server.as();
const OID = "a".repeat(64);

/** How each repository may be written in a URL; both sides must be the same one. */
const SAME: ReadonlyArray<readonly [name: string, paths: readonly string[]]> = [
  ["plain", ["plain", "plain.git", "plain/info/lfs", "plain.git/info/lfs"]],
  ["group/plain", ["group/plain", "group/plain.git/info/lfs"]],
  ["a/b/c/d/e/f", ["a/b/c/d/e/f", "a/b/c/d/e/f.git", "a/b/c/d/e/f.git/info/lfs"]],
  ["with space", ["with%20space", "with%20space.git/info/lfs", "%77ith%20space"]],
  ["größe/日本", ["gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC", "gr%c3%b6%c3%9fe/%e6%97%a5%e6%9c%ac.git/info/lfs"]],
  ["emoji-🦊", ["emoji-%F0%9F%A6%8A", "emoji-%F0%9F%A6%8A.git/info/lfs"]],
  ["plus+and&=", ["plus+and&=", "plus%2Band%26%3D.git/info/lfs"]],
  ["percent%20", ["percent%2520", "percent%2520.git/info/lfs"]],
  ["question?hash#", ["question%3Fhash%23", "question%3Fhash%23.git/info/lfs"]],
  // Words of the API are names like any other, as long as the path says unmistakably which is which.
  ["locks", ["locks", "locks.git/info/lfs"]],
  ["objects", ["objects", "objects.git/info/lfs"]],
  ["info/lfs", ["info/lfs", "info/lfs.git/info/lfs"]],
  ["deep/info/lfs", ["deep/info/lfs.git/info/lfs", "deep/info/lfs/info/lfs"]],
  ["-/lfs", ["-/lfs", "-/lfs.git/info/lfs"]],
  ["healthz", ["healthz", "healthz.git/info/lfs"]],
  ["twice.git", ["twice.git.git", "twice.git.git/info/lfs"]],
];

for (const [name, paths] of SAME) {
  test(`all ways to write the address of ${name} lead to the same repository`, async () => {
    const [first = "", ...others] = paths;
    const { id } = message(LockResponse, 201, await user.post(`${first}/locks`, { path: "a file" })).lock;

    for (const path of others) {
      const { locks } = message(ListLocksResponse, 200, await user.get(`${path}/locks`));
      assert.deepEqual(
        locks.map((lock) => lock.id),
        [id],
        path,
      );
    }
    assert.ok((await server.metadata.repositories.find(wholeName(name))) !== undefined);
  });

  test(`what a batch for ${name} sends clients to is in that repository`, async () => {
    const [path = ""] = paths;
    const bytes = Buffer.from(`something in ${name}`);

    const oid = await user.upload(path, bytes);

    for (const other of paths) assert.deepEqual((await user.download(other, { oid })).body, bytes, other);
  });
}

test("any name that a repository can have is reached, and its links lead back to it", async () => {
  const segment = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
  const names = fc
    .array(fc.oneof(segment, fc.constantFrom("info", "lfs", "locks", "objects", "a.git", "batch")), {
      minLength: 1,
      maxLength: 4,
    })
    .map((segments) => segments.join("/"))
    .filter((text) => parseRepositoryName(`${text}.git`) === text);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(names, async (name) => {
      run += 1;
      const path = `${name.split("/").map(encodeURIComponent).join("/")}.git/info/lfs`;
      const bytes = Buffer.from(`${run} ${name}`);
      const oid = await user.upload(path, bytes);
      const { body } = await user.download(path, { oid });
      assert.deepEqual(body, bytes);
      const repository = await server.metadata.repositories.find(wholeName(name));
      assert.ok(repository !== undefined, "it is in the repository of that name");
    }),
    { seed: 3, numRuns: 60 },
  );
});

test("case tells repositories apart", async () => {
  await user.lock("Case", "a file");

  refusal(404, await user.get("case/locks"));
});

/** Each is a path that names nothing, and why. */
const NOWHERE: ReadonlyArray<readonly [path: string, why: string]> = [
  ["/", "no repository and no call"],
  ["/objects/batch", "no repository"],
  ["/.git/info/lfs/objects/batch", "a repository without a name"],
  ["//objects/batch", "an empty name"],
  ["/team//app/objects/batch", "an empty segment"],
  ["/app//objects/batch", "two slashes before the call"],
  ["/app/objects/batch/", "a slash after the call"],
  ["/app/objects/batch/more", "more after the call"],
  ["/app/info/lfs", "no call"],
  ["/app/objects", "half a call"],
  ["/app/Objects/Batch", "another case"],
  ["/app%2Fobjects%2Fbatch", "an encoded slash in place of one"],
  ["/team%2Fapp/objects/batch", "an encoded slash in a name"],
  ["/app/objects%2Fbatch", "an encoded slash in the call"],
  ["/team%5Capp/objects/batch", "a backslash"],
  ["/%2e%2e/app/objects/batch", "encoded dots"],
  ["/team/%2E%2E/app/objects/batch", "encoded dots in the middle"],
  ["/../app/objects/batch", "dots"],
  ["/./app/objects/batch", "a dot"],
  ["/%252e%252e/app/objects%2Fbatch", "dots encoded twice"],
  ["/app%00/objects/batch", "NUL"],
  ["/app%0a/objects/batch", "a line break"],
  ["/app%7F/objects/batch", "a control character"],
  ["/%20app/objects/batch", "a space at the start of a segment"],
  ["/app%20/objects/batch", "a space at the end of a segment"],
  ["/.holdall/objects/batch", "the store's own folder"],
  ["/app%/objects/batch", "half an escape"],
  ["/app%2/objects/batch", "half an escape"],
  ["/app%zz/objects/batch", "no hexadecimal digits"],
  ["/app%C3/objects/batch", "half a character of UTF-8"],
  ["/app%C0%AE/objects/batch", "overlong UTF-8"],
  ["/app%ED%A0%80/objects/batch", "half a surrogate pair in UTF-8"],
  [`/${"x".repeat(201)}/objects/batch`, "a segment over 200 bytes"],
  [`/${"%C3%B6".repeat(101)}/objects/batch`, "a segment over 200 bytes once decoded"],
  [`/${"long/".repeat(300)}x/objects/batch`, "a name over 1024 bytes"],
];

for (const [path, why] of NOWHERE) {
  test(`a path that names nothing is 404: ${why} (${path.slice(0, 40)})`, async () => {
    const before = await repositories();
    const body = JSON.stringify({ operation: "upload", objects: [{ oid: OID, size: 1 }] });
    const headers = { "Content-Type": "application/json" };

    refusal(404, await user.request("POST", path, { body, headers }));
    refusal(404, await user.request("POST", path.replace("objects/batch", "locks"), { body: `{"path":"x"}`, headers }));

    assert.deepEqual(await repositories(), before, "nothing came into being");
  });
}

test("a lock's id with an escape, broken or not, is that of no lock", async () => {
  for (const id of ["%zz", "%", "%31", "%2e%2e", "1%2Funlock"]) {
    refusal(404, await user.request("POST", `/app/locks/${id}/unlock`, { body: "{}" }));
  }
});

test("the target of a request may be absolute, as proxies send it", async () => {
  const { id } = await user.lock("absolute", "a file");

  const answer = await exchange(server.port, ["GET http://holdall.example/absolute/locks HTTP/1.1", "Host: x"]);

  assert.equal(statusOf(answer), 200, answer);
  assert.match(answer, new RegExp(`"id":"${id}"`));
});

test("a target that is no path is 4xx", async () => {
  for (const target of ["*", "app/locks", "ftp://h/app/locks", "http://", "http://h", "?", "#"]) {
    const answer = await exchange(server.port, [`GET ${target} HTTP/1.1`, "Host: x"]);
    assert.match(String(statusOf(answer)), /^4\d\d$/, `${target}: ${answer}`);
  }
});

test("bytes above ASCII that nobody encoded are refused, not taken for other characters", async () => {
  // What the bytes of "ö" are when each is taken for a character.
  await user.lock("%C3%83%C2%B6", "a file");
  await user.lock("%C3%B6", "a file");

  const answer = await exchange(server.port, ["GET /\xc3\xb6/locks HTTP/1.1", "Host: x"]);

  assert.equal(statusOf(answer), 400, answer);
});

test("a batch by a HEAD, GET, PUT, DELETE or OPTIONS is 404 or 405, in JSON", async () => {
  for (const method of ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    refusal(404, await user.request(method, "/app/objects/batch"));
  }
  const { status, body } = await user.request("HEAD", "/app/objects/batch");
  assert.equal(status, 404);
  assert.equal(body.length, 0);
});

test("the query of a call other than a transfer changes nothing", async () => {
  const answer = await user.post("query/objects/batch?token=x&a=%zz", { operation: "upload", objects: [] });

  message(BatchResponse, 200, answer);
});

test("the API of clients before 2.0 is 404 in JSON, which they show", async () => {
  refusal(404, await user.get("app/objects"));
  refusal(404, await user.post("app/objects", { oid: OID, size: 1 }));
});

async function repositories(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of server.metadata.repositories.list()) names.push(name);
  return names;
}

/** For names at whose end `.git` is a part of them. */
function wholeName(text: string): RepositoryName {
  return repositoryNamed(`${text}.git`);
}
