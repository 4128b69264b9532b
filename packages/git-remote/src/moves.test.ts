import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LocalGit, type RefRule } from "@holdall/git-store";
import { ENV } from "../test/person.ts";
import { Moves, type RefState } from "./moves.ts";
import type { PushLine } from "./repository.ts";

/** Objects: a commit, one on top of it, one beside that, a blob and a tag. */
async function objects(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "holdall-moves-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const run = (args: string[], input = ""): string =>
    execFileSync("git", ["--git-dir", folder, ...args], { encoding: "utf8", env: ENV, input }).trim();
  run(["init", "--quiet", "--bare", "--initial-branch=trunk"]);
  const tree = run(["mktree"]);
  const base = run(["commit-tree", tree, "-m", "base"]);
  const next = run(["commit-tree", tree, "-p", base, "-m", "next"]);
  const other = run(["commit-tree", tree, "-p", base, "-m", "other"]);
  const root = run(["commit-tree", tree, "-m", "root"]);
  const blob = run(["hash-object", "-w", "--stdin"], "text");
  const tag = run(["mktag"], `object ${base}\ntype commit\ntag v1\ntagger Ada <ada@example.org> 0 +0000\n\nA tag\n`);
  return { git: new LocalGit(folder), base, next, other, root, blob, tag };
}

const state = (refs: Record<string, string>, o: Partial<RefState> = {}): RefState => ({
  objectFormat: "sha1",
  head: "refs/heads/main",
  rules: [],
  refs: new Map(Object.entries(refs).map(([ref, oid]) => [ref, { oid }])),
  ...o,
});

const line = (ref: string, source?: string, force = false): PushLine => ({
  ref: ref.startsWith("refs/") ? ref : `refs/heads/${ref}`,
  source,
  force,
});
const plain = { atomic: false, leases: new Map<string, string | undefined>() };
const reasons = (moves: Moves): (string | undefined)[] => moves.results.map(({ refused }) => refused);

test("a ref that somebody has moved since it was listed is to be fetched first, and others go", async (t) => {
  const { git, base, next, other } = await objects(t);
  const listed = state({ "refs/heads/main": base });
  const moves = await Moves.check([line("main", next), line("new", next)], { git, listed, options: plain });
  assert.deepEqual(reasons(moves), [undefined, undefined]);
  assert.equal(moves.allowed(state({ "refs/heads/main": other })).length, 1);
  assert.deepEqual(reasons(moves), ["fetch first", undefined]);
  const forced = await Moves.check([line("main", other, true)], { git, listed, options: plain });
  assert.equal(forced.allowed(state({ "refs/heads/main": next })).length, 0, "force is for what was seen");
  const created = await Moves.check([line("new", next)], { git, listed, options: plain });
  assert.equal(created.allowed(state({ "refs/heads/new": other })).length, 0);
});

test("a lease holds as long as the ref is what it says, and no longer", async (t) => {
  const { git, base, next, other } = await objects(t);
  const listed = state({ "refs/heads/main": next });
  const options = {
    atomic: false,
    leases: new Map([
      ["refs/heads/main", next],
      ["refs/heads/new", undefined],
    ]),
  };
  const moves = await Moves.check([line("main", other), line("new", other)], { git, listed, options });
  assert.deepEqual(reasons(moves), [undefined, undefined]);
  assert.equal(moves.allowed(state({ "refs/heads/main": base, "refs/heads/new": base })).length, 0);
  assert.deepEqual(reasons(moves), ["stale info", "stale info"]);
});

test("the current branch is not deleted; one that is not there may be, as a rule for force keeps nobody from going forward", async (t) => {
  const { git, base, next } = await objects(t);
  const rules: RefRule[] = [{ refs: "refs/heads/main", deny: ["force"] }];
  const gone = await Moves.check([line("main")], { git, listed: state({}), options: plain });
  assert.deepEqual(reasons(gone), [undefined]);
  const there = await Moves.check([line("main")], { git, listed: state({ "refs/heads/main": base }), options: plain });
  assert.deepEqual(reasons(there), ["refusing to delete the current branch"]);
  const forward = await Moves.check([line("main", next)], {
    git,
    listed: state({ "refs/heads/main": base }, { rules }),
    options: plain,
  });
  assert.deepEqual(reasons(forward), [undefined]);
  const back = await Moves.check([line("main", base, true)], {
    git,
    listed: state({ "refs/heads/main": next }, { rules }),
    options: plain,
  });
  assert.deepEqual(reasons(back), ["protected against force"]);
});

test("a rule holds from when it is there, and by force one may still go forward", async (t) => {
  const { git, base, next, other } = await objects(t);
  const rules: RefRule[] = [{ refs: "refs/heads/*", deny: ["force", "delete"] }];
  const refs = { "refs/heads/a": base, "refs/heads/b": next, "refs/heads/c": base };
  const lines = [line("a", next, true), line("b", other, true), line("c")];
  const why = [undefined, "protected against force", "protected against deletion"];
  assert.deepEqual(reasons(await Moves.check(lines, { git, listed: state(refs, { rules }), options: plain })), why);
  const moves = await Moves.check(lines.slice(1), { git, listed: state(refs), options: plain });
  assert.deepEqual(reasons(moves), [undefined, undefined]);
  moves.allowed(state(refs, { rules }));
  assert.deepEqual(reasons(moves), why.slice(1), "which came after the refs were listed");
});

test("of refs that stand at one commit, each is asked where it goes", async (t) => {
  const { git, base, next, root } = await objects(t);
  const listed = state({ "refs/heads/a": base, "refs/heads/b": base, "refs/heads/c": base });
  const lines = [line("a", next), line("b", root), line("c", next)];
  const moves = await Moves.check(lines, { git, listed, options: plain });
  assert.deepEqual(reasons(moves), [undefined, "non-fast forward", undefined]);
});

test("refs that are in each other's way already, as in git-remote-s3's layout, move all the same", async (t) => {
  const { git, base, next } = await objects(t);
  const listed = state({ "refs/heads/a": base, "refs/heads/a/b": base });
  const moves = await Moves.check([line("a", next), line("a/b", next)], { git, listed, options: plain });
  assert.deepEqual(reasons(moves), [undefined, undefined]);
});

test("of one push, a ref may take the place of a folder that goes, and two that are in each other's way do not come", async (t) => {
  const { git, base } = await objects(t);
  const listed = state({ "refs/heads/a/b": base });
  assert.deepEqual(reasons(await Moves.check([line("a/b"), line("a", base)], { git, listed, options: plain })), [
    undefined,
    undefined,
  ]);
  const both = await Moves.check([line("x", base), line("x/y", base)], { git, listed, options: plain });
  assert.deepEqual(reasons(both), [undefined, "refs/heads/x is in the way: a ref cannot be below another"]);
});

test("what is no commit moves by force only, and a tag does not move", async (t) => {
  const { git, base, next, blob, tag } = await objects(t);
  for (const [from, to] of [
    [base, blob],
    [blob, base],
  ] as const) {
    const moves = await Moves.check([line("refs/notes/x", to)], {
      git,
      listed: state({ "refs/notes/x": from }),
      options: plain,
    });
    assert.deepEqual(reasons(moves), ["needs force"]);
  }
  const onwards = await Moves.check([line("refs/x/v", next)], {
    git,
    listed: state({ "refs/x/v": tag }),
    options: plain,
  });
  assert.deepEqual(reasons(onwards), [undefined], "from a tag to what comes after it");
  const moved = await Moves.check([line("refs/tags/v", next)], {
    git,
    listed: state({ "refs/tags/v": base }),
    options: plain,
  });
  assert.deepEqual(reasons(moved), ["already exists"]);
});

test("an atomic push goes as a whole, also when somebody moves one of its refs later", async (t) => {
  const { git, base, next, other } = await objects(t);
  const listed = state({ "refs/heads/main": base });
  const moves = await Moves.check([line("main", next), line("new", next)], {
    git,
    listed,
    options: { ...plain, atomic: true },
  });
  assert.equal(moves.going.length, 2);
  assert.deepEqual(moves.allowed(state({ "refs/heads/main": other })), []);
  assert.deepEqual(reasons(moves), ["fetch first", "atomic push failed"]);
});

test("the first reason stays, tags come with what they are of, and a new repository begins with the branch that is checked out", async (t) => {
  const { git, base, next, tag } = await objects(t);
  const moves = await Moves.check(
    [line("other", next), line("main", next), line("trunk", base), line("refs/tags/v1", tag)],
    { git, listed: undefined, options: plain },
  );
  assert.equal(await moves.newHead(), "refs/heads/trunk");
  assert.deepEqual(moves.going.at(-1)?.to, { oid: tag, peeled: base });
  moves.refuse("refs/heads/main", "one");
  moves.refuse("refs/heads/main", "two");
  assert.equal(reasons(moves)[1], "one");
});

test("a repository of another format takes none of these objects, and lets its refs be deleted", async (t) => {
  const { git, base } = await objects(t);
  const listed = state({ "refs/heads/x": "1".repeat(64) }, { objectFormat: "sha256" });
  const moves = await Moves.check([line("y", base), line("x")], { git, listed, options: plain });
  assert.deepEqual(reasons(moves), ["the remote names its objects by sha256", undefined]);
});

test("what has a name that is not in UTF-8 is not looked for under another", async (t) => {
  const { git, base } = await objects(t);
  const moves = await Moves.check(
    [line("caf\udce9", base), line("main", "refs/heads/caf\udce9"), line("caf\udce9"), line("\ufffd", base)],
    { git, listed: undefined, options: plain },
  );
  const why = "a name that is not in UTF-8 cannot be pushed";
  assert.deepEqual(reasons(moves), [why, why, why, undefined]);
});
