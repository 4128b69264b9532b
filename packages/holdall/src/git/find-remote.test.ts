import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runWell } from "../../../../test/support/run.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { committer, findRemote, isUrl, urlOfRemote } from "./find-remote.ts";

async function repository(t: TestContext): Promise<{ cwd: string; env: NodeJS.ProcessEnv }> {
  const home = await temporaryFolder(t, "find-remote");
  const place = { cwd: join(home, "work"), env: { PATH: process.env["PATH"], HOME: home, GIT_CONFIG_NOSYSTEM: "1" } };
  await mkdir(place.cwd);
  await runWell("git", ["init", "--quiet"], place);
  for (const [name, url] of Object.entries({
    origin: "s3://bucket/team/app",
    wrapped: "holdall::file:///srv/app",
    zip: "s3+zip://bucket/app",
    hub: "https://ada:secret@example.invalid/app.git",
    local: "../other",
  })) {
    await runWell("git", ["remote", "add", name, url], place);
  }
  return place;
}

test("what has a scheme is a URL, and nothing is asked of git", async () => {
  for (const url of ["s3://b/p", "holdall::s3://b/p", "file:///p", "gs://b", "az://a/c", "memory:"])
    assert.ok(isUrl(url));
  for (const name of ["origin", "team/app", "./x", "a.b"]) assert.ok(!isUrl(name), name);
  const { store } = await findRemote("file:///srv/app", { cwd: "/", env: {} });
  assert.deepEqual(store, { kind: "file", path: "/srv/app" });
  await assert.rejects(findRemote("memory:", { cwd: "/", env: {} }), /is no remote/);
});

test("a name is that of a remote of the repository here, as git reads its configuration", async (t) => {
  const place = await repository(t);
  assert.equal((await findRemote("origin", place)).store.kind, "s3");
  assert.deepEqual((await findRemote("wrapped", place)).store, { kind: "file", path: "/srv/app" });
  assert.equal((await findRemote("zip", place)).layout, "bundles");
  await runWell("git", ["config", "url.gs://bucket/.insteadOf", "s3://bucket/"], place);
  assert.equal((await findRemote("origin", place)).store.kind, "gs");
});

test("a remote that is elsewhere, or is none, is said to be, without what is secret", async (t) => {
  const place = await repository(t);
  await assert.rejects(findRemote("hub", place), ({ message }: Error) => {
    assert.match(message, /^the remote hub is at https:\/\/.*example\.invalid\/app\.git, and not in a store$/);
    return !message.includes("secret");
  });
  await assert.rejects(findRemote("local", place), /the remote local is at \.\.\/other, and not in a store/);
  for (const name of ["upstream", "--all"]) {
    await assert.rejects(findRemote(name, place), /has no remote .*: name one that it has/);
    assert.equal(await urlOfRemote(name, place), undefined);
  }
  await assert.rejects(findRemote("origin", { ...place, cwd: "/" }), /has no remote "origin"/);
  await assert.rejects(findRemote("origin", { ...place, env: { PATH: "/nowhere" } }), /has no remote "origin"/);
});

test("who is at work is whom git would name", async (t) => {
  const place = await repository(t);
  const env = { ...place.env, GIT_COMMITTER_NAME: "Ada", GIT_COMMITTER_EMAIL: "ada@example.org" };
  assert.equal(await committer({ cwd: "/", env }), "Ada <ada@example.org>");
  assert.equal(await committer({ cwd: "/", env: { PATH: "/nowhere" } }), undefined);
});
