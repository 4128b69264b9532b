import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemoryStore } from "@holdall/object-store";
import { Author, kept, manifestOf } from "../test/author.ts";
import { deletingBranch, pointingHead, protecting, unprotecting } from "./admin.ts";
import type { Change } from "./change.ts";
import { history } from "./history.ts";
import type { Kept } from "./maintenance.ts";
import { isDenied, isRefPattern } from "./rules.ts";

async function pushed(t: TestContext): Promise<{ author: Author; repository: Kept; oid: string }> {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  const value = author.commit();
  await author.push(repository, { "refs/heads/main": value, "refs/heads/old": value, "refs/heads/release/1": value });
  return { author, repository, oid: value.oid };
}

async function change({ git }: Kept, change: Change): Promise<boolean> {
  return (await git.commit(change, await git.read())) !== undefined;
}

test("a rule takes the place of the one for the same refs, and is there no more than once", async (t) => {
  const { repository } = await pushed(t);
  const rule = { refs: "refs/heads/main", deny: ["force", "delete"] } as const;
  assert.equal(await change(repository, protecting(rule, "Ada <ada@example.org>")), true);
  assert.equal(await change(repository, protecting({ ...rule, deny: ["delete", "force"] }, undefined)), false);
  assert.equal(await change(repository, protecting({ ...rule, deny: ["force"] }, undefined)), true);
  assert.deepEqual((await manifestOf(repository)).rules, [{ refs: "refs/heads/main", deny: ["force"] }]);
  const [, first] = await Array.fromAsync(history(repository.store, await manifestOf(repository)));
  assert.deepEqual([first?.what, first?.by, first?.updates], ["rules", "Ada <ada@example.org>", []]);
});

test("a rule goes by its own pattern only, and it is said which other one covers a ref", async (t) => {
  const { repository } = await pushed(t);
  await change(repository, protecting({ refs: "refs/heads/**", deny: ["delete"] }, undefined));
  await assert.rejects(change(repository, unprotecting("refs/heads/main", undefined)), {
    code: "refused",
    message: "there is no rule for refs/heads/main; the rule for refs/heads/** protects it",
  });
  await assert.rejects(change(repository, unprotecting("refs/tags/v1", undefined)), /no rule for refs\/tags\/v1$/);
  await change(repository, unprotecting("refs/heads/**", undefined));
  assert.deepEqual((await manifestOf(repository)).rules, []);
});

test("patterns are names of refs with * within a segment and ** for several", () => {
  for (const [refs, ref, denied] of [
    ["refs/heads/main", "refs/heads/main", true],
    ["refs/heads/main", "refs/heads/main2", false],
    ["refs/heads/*", "refs/heads/main", true],
    ["refs/heads/*", "refs/heads/a/b", false],
    ["refs/heads/**", "refs/heads/a/b", true],
    ["refs/heads/v*.x", "refs/heads/v1.x", true],
    ["refs/heads/v*.x", "refs/heads/v1yx", false],
    ["refs/heads/a.b", "refs/heads/aXb", false],
  ] as const) {
    assert.equal(isDenied([{ refs, deny: ["force"] }], ref, "force"), denied, `${refs} ${ref}`);
    assert.equal(isDenied([{ refs, deny: ["force"] }], ref, "delete"), false);
  }
  for (const good of ["refs/heads/main", "refs/heads/**", "refs/tags/v*"]) assert.ok(isRefPattern(good), good);
  for (const bad of ["main", "refs/heads/", "refs/heads/a b", "refs/heads/a..b", "refs/heads/[ab]"]) {
    assert.ok(!isRefPattern(bad), bad);
  }
});

test("the head becomes a branch that is there, and is in the log", async (t) => {
  const { repository } = await pushed(t);
  await assert.rejects(change(repository, pointingHead("refs/heads/nope", undefined)), /there is no branch nope/);
  assert.equal(await change(repository, pointingHead("refs/heads/old", undefined)), true);
  assert.equal(await change(repository, pointingHead("refs/heads/old", undefined)), false);
  const manifest = await manifestOf(repository);
  assert.equal(manifest.head, "refs/heads/old");
  const [entry] = await Array.fromAsync(history(repository.store, manifest));
  assert.deepEqual(entry?.head, { from: "refs/heads/main", to: "refs/heads/old" });
});

test("a branch is deleted as it was seen, unless it is the head or protected", async (t) => {
  const { author, repository, oid } = await pushed(t);
  const deleting = (branch: string): Change => deletingBranch(`refs/heads/${branch}`, oid, undefined);
  await assert.rejects(change(repository, deleting("nope")), /there is no branch nope/);
  await assert.rejects(change(repository, deleting("main")), /main is the branch that clones begin with/);
  await change(repository, protecting({ refs: "refs/heads/release/*", deny: ["delete"] }, undefined));
  await assert.rejects(change(repository, deleting("release/1")), /release\/1 is protected against deletion/);
  await change(repository, deleting("old"));
  assert.deepEqual([...(await manifestOf(repository)).refs.keys()], ["refs/heads/main", "refs/heads/release/1"]);
  await author.push(repository, { "refs/heads/old": author.commit(oid) });
  await assert.rejects(change(repository, deleting("old")), /old has just been moved by somebody else/);
});

test("of a rule and a push at once, whoever is second decides on what the first has made", async (t) => {
  const { repository, oid } = await pushed(t);
  const seen = await repository.git.read();
  await change(repository, protecting({ refs: "refs/heads/old", deny: ["delete"] }, undefined));
  const late = repository.git.commit(deletingBranch("refs/heads/old", oid, undefined), seen);
  await assert.rejects(late, /protected against deletion/);
});
