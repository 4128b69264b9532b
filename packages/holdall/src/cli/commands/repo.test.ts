import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSqlite } from "@holdall/metadata";
import { databasePath } from "../../data-folder.ts";
import { readRepositoryName } from "../read-repository-name.ts";
import { spawnHoldall, type Ended } from "../spawn-holdall.ts";
import { testFolder } from "../test-folder.ts";

describe("holdall repo", async () => {
  const cwd = await testFolder();
  const run = (args: string): Promise<Ended> => spawnHoldall(args.split(" "), { cwd });

  test("create makes a repository, once", async () => {
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(await run("repo create team/app.git --data d"), {
        code: 0,
        stdout: "Repository team/app is there.\n",
        stderr: "",
      });
    }
    assert.equal((await run("repo create b --data d")).code, 0);
  });

  test("create refuses what is no name", async () => {
    const ended = await run("repo create ../x --data d");
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /^holdall: .*'\.\.\/x' is invalid .*It is no repository name/);
  });

  test("list shows all, by name", async () => {
    const { code, stdout } = await run("repo list --data d");
    assert.equal(code, 0);
    assert.match(stdout, /^NAME +CREATED \(UTC\)\nb +\d{4}-.*\nteam\/app +\d{4}-.*\n$/);
    const { repositories } = JSON.parse((await run("repo list --data d --json")).stdout) as {
      repositories: { name: string; createdAt: string }[];
    };
    assert.deepEqual(
      repositories.map(({ name }) => name),
      ["b", "team/app"],
    );
    assert.deepEqual(Object.keys(repositories[0] ?? {}), ["name", "createdAt"]);
  });

  test("show counts what a repository holds, while a server has the database open", async () => {
    const server = await openSqlite({ file: databasePath(`${cwd}/d`) });
    try {
      const { id } = await server.repositories.ensure(readRepositoryName("team/app"));
      await server.locks.create(id, { path: "a", owner: "alice" });
      const { code, stdout, stderr } = await run("repo show team/app --data d --json");
      assert.equal(code, 0, stderr);
      const { createdAt, ...rest } = JSON.parse(stdout) as { createdAt: string };
      assert.deepEqual(rest, { name: "team/app", objects: 0, bytes: 0, locks: 1 });
      assert.equal(new Date(createdAt).toISOString(), createdAt);
      assert.match((await run("repo show team/app --data d")).stdout, /\nteam\/app +0 +0 +1 +\d{4}-/);
    } finally {
      await server.close();
    }
  });

  test("show says so when there is none", async () => {
    const ended = await run("repo show nope --data d");
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /^holdall: there is no repository "nope"/);
  });
});
