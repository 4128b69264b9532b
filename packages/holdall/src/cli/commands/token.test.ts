import assert from "node:assert/strict";
import { describe, before, test } from "node:test";
import { spawnHoldall, type Ended } from "../spawn-holdall.ts";
import { testFolder } from "../test-folder.ts";

interface ShownToken {
  readonly id: string;
  readonly user: string;
  readonly right: string;
  readonly repositories: readonly string[];
  readonly note: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

describe("holdall token", async () => {
  const cwd = await testFolder();
  const run = (...args: string[]): Promise<Ended> => spawnHoldall(args, { cwd });
  const tokens = async (...args: string[]): Promise<readonly ShownToken[]> => {
    const { stdout } = await run("token", "list", "--json", ...args);
    return (JSON.parse(stdout) as { tokens: ShownToken[] }).tokens;
  };

  before(async () => {
    for (const name of ["alice", "bob"]) {
      const { code, stderr } = await run("user", "add", name, "--no-password");
      assert.equal(code, 0, stderr);
    }
  });

  test("create prints the token alone on standard output, all else on standard error", async () => {
    const { code, stdout, stderr } = await run("token", "create", "--user", "alice");
    assert.equal(code, 0);
    assert.match(stdout, /^hld_[0-9A-Za-z]{49}\n$/);
    assert.match(stderr, /^Token \w+ of alice: write in \*\*, until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n$/);
    assert.ok(!stderr.includes(stdout.trim()));
  });

  test("create gives 90 days, write and every repository unless told otherwise", async () => {
    const [token] = await tokens();
    assert.ok(token !== undefined);
    assert.deepEqual([token.user, token.right, token.repositories, token.note], ["alice", "write", ["**"], null]);
    const lifetime = new Date(String(token.expiresAt)).getTime() - new Date(token.createdAt).getTime();
    assert.ok(Math.abs(lifetime - 90 * 86_400_000) < 60_000);
  });

  test("create takes a right, repositories, an expiry and a note", async () => {
    const { code, stderr } = await run(
      ..."token create --user bob --right read --expires never --repository team/* --repository app".split(" "),
      "--note",
      "build server",
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /: read in team\/\*, app, without end\.\n$/);
    const [token, ...others] = await tokens("--user", "bob");
    assert.deepEqual(others, []);
    assert.ok(token !== undefined);
    const { id: _, createdAt: __, ...rest } = token;
    assert.deepEqual(rest, {
      user: "bob",
      right: "read",
      repositories: ["team/*", "app"],
      note: "build server",
      expiresAt: null,
    });
  });

  for (const [what, args, code, message] of [
    ["a user who is not there", ["--user", "nobody"], 1, /^holdall: there is no user "nobody"/],
    ["no user", [], 2, /required option '--user <name>' not specified/],
    ["a right that is none", ["--user", "bob", "--right", "wriet"], 2, /Allowed choices are read, write, admin/],
    ["an expiry that is none", ["--user", "bob", "--expires", "soon"], 2, /must be a duration such as .*; or never/],
    ["an expiry that is now", ["--user", "bob", "--expires", "0s"], 1, /^holdall: .*expiry is not in the future/],
    [
      "a pattern that is none",
      ["--user", "bob", "--repository", "/a"],
      1,
      /^holdall: "\/a" is not a repository pattern/,
    ],
  ] as const) {
    test(`create refuses ${what}, and prints nothing on standard output`, async () => {
      const ended = await run("token", "create", ...args);
      assert.deepEqual([ended.code, ended.stdout], [code, ""]);
      assert.match(ended.stderr, message);
    });
  }

  test("list shows all tokens in a table, newest first, and none of their secrets", async () => {
    const { code, stdout } = await run("token", "list");
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^ID +USER +RIGHT +REPOSITORIES +EXPIRES \(UTC\) +NOTE$/);
    assert.match(lines[1] ?? "", / bob +read +team\/\*, app +never +build server$/);
    assert.match(lines[2] ?? "", / alice +write +\*\* +\d{4}-/);
    assert.ok(!stdout.includes("hld_"));
  });

  test("revoke ends a token by its id, and never repeats what may be the token itself", async () => {
    const [token] = await tokens("--user", "bob");
    assert.ok(token !== undefined);
    assert.deepEqual(await run("token", "revoke", token.id), {
      code: 0,
      stdout: `Revoked token ${token.id}.\n`,
      stderr: "",
    });
    assert.deepEqual(await tokens("--user", "bob"), []);
    const again = await run("token", "revoke", "hld_secret");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^holdall: there is no token with that id/);
    assert.ok(!again.stderr.includes("hld_secret"));
  });

  test("removing a user removes the user's tokens", async () => {
    assert.equal((await run("user", "remove", "alice")).code, 0);
    assert.deepEqual(await tokens(), []);
  });
});
