import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { spawnHoldall, type Ended } from "../spawn-holdall.ts";
import { testFolder } from "../test-folder.ts";

describe("holdall user", async () => {
  const cwd = await testFolder();
  const run = (args: string, input?: string | Uint8Array): Promise<Ended> =>
    spawnHoldall(args.split(" "), { cwd, ...(input === undefined ? {} : { input }) });

  test("add makes the data folder, for its owner only", async () => {
    const ended = await run("user add alice --password-stdin", "correct horse\n");
    assert.deepEqual(ended, { code: 0, stdout: "Added user alice.\n", stderr: "" });
    assert.equal((await stat(join(cwd, "holdall-data"))).mode & 0o777, 0o700);
  });

  test("add takes admins, and users without a password", async () => {
    assert.equal((await run("user add root --admin --password-stdin", "x")).stdout, "Added admin root.\n");
    assert.equal((await run("user add ci --no-password")).stdout, "Added user ci.\n");
  });

  test("add refuses a name that is taken", async () => {
    const ended = await run("user add alice --no-password");
    assert.deepEqual([ended.code, ended.stdout], [1, ""]);
    assert.match(ended.stderr, /^holdall: there is already a user "alice".*\n$/);
  });

  for (const [what, args, input, code, message] of [
    ["no way to sign in", "user add dora", "", 2, /either --password-stdin or --no-password/],
    ["two ways to sign in", "user add dora --password-stdin --no-password", "x", 2, /either --password-stdin or --no-/],
    ["an empty password", "user add dora --password-stdin", "\n", 1, /^holdall: .*empty/],
    ["a password of two lines", "user add dora --password-stdin", "a\nb\n", 1, /^holdall: .*line break/],
    ["a password that is no text", "user add dora --password-stdin", new Uint8Array([0xff, 0xfe]), 1, /UTF-8/],
    ["a password without end", "user add dora --password-stdin", "x".repeat(100_000), 1, /too long/],
    ["a name that is none", "user add a/b --no-password", "", 1, /^holdall: "a\/b" is not a user name/],
    ["a reserved name", "user add anonymous --no-password", "", 1, /^holdall: .*reserved/],
  ] as const) {
    test(`add refuses ${what}`, async () => {
      const ended = await run(args, input);
      assert.deepEqual([ended.code, ended.stdout], [code, ""]);
      assert.match(ended.stderr, message);
    });
  }

  test("list shows all users in a table, without their password hashes", async () => {
    const { code, stdout, stderr } = await run("user list");
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^NAME +ADMIN +SIGNS IN BY +ADDED \(UTC\)$/);
    assert.match(lines[1] ?? "", /^alice +no +password +\d{4}-\d\d-\d\d \d\d:\d\d$/);
    assert.match(lines[2] ?? "", /^ci +no +tokens only/);
    assert.match(lines[3] ?? "", /^root +yes +password/);
    assert.equal(lines.length, 4);
  });

  test("list --json has the documented shape", async () => {
    const { stdout } = await run("user list --json");
    const { users } = JSON.parse(stdout) as { users: { createdAt: string }[] };
    for (const user of users) {
      assert.equal(new Date(user.createdAt).toISOString(), user.createdAt);
      user.createdAt = "then";
    }
    assert.deepEqual(users, [
      { name: "alice", admin: false, password: true, createdAt: "then" },
      { name: "ci", admin: false, password: false, createdAt: "then" },
      { name: "root", admin: true, password: true, createdAt: "then" },
    ]);
  });

  test("remove removes the user, and says so when there is none", async () => {
    assert.deepEqual(await run("user remove ci"), { code: 0, stdout: "Removed user ci.\n", stderr: "" });
    const again = await run("user remove ci");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^holdall: there is no user "ci"/);
  });

  test("commands that only read make no data folder", async () => {
    const nowhere = join(cwd, "nowhere");
    for (const args of ["user list", "user remove x", "token list", "token revoke x", "repo list", "repo show x"]) {
      const ended = await run(`${args} --data ${nowhere}`);
      assert.deepEqual([ended.code, ended.stdout], [1, ""]);
      assert.ok(ended.stderr.startsWith(`holdall: there is no Holdall data in ${nowhere}; `), ended.stderr);
    }
    assert.equal(existsSync(nowhere), false);
  });
});
