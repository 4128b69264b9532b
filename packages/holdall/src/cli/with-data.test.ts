import assert from "node:assert/strict";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { requireUnprivileged } from "../../../../test/support/unprivileged.ts";
import { spawnHoldall } from "./spawn-holdall.ts";
import { testFolder } from "./test-folder.ts";

describe("commands on a data folder", async () => {
  const cwd = await testFolder();

  test("find it by the configuration that --config names", async () => {
    const [config, data] = [join(cwd, "other.yaml"), join(cwd, "srv", "lfs")];
    await writeFile(config, `data: ${data}\n`);
    const run = async (args: string): Promise<string> => {
      const { code, stdout, stderr } = await spawnHoldall([...args.split(" "), "--config", config], { cwd });
      assert.equal(code, 0, `${args}: ${stderr}`);
      return stdout;
    };
    await run("user add ann --no-password");
    assert.match(await run("user list"), /^ann /m);
    await run("token create --user ann");
    const [, id = ""] = /"id": "(\w+)"/.exec(await run("token list --json")) ?? assert.fail("the token is listed");
    await run(`token revoke ${id}`);
    await run("repo create team/app");
    assert.match(await run("repo list"), /^team\/app /m);
    assert.match(await run("repo show team/app"), /^team\/app /m);
    await run("user remove ann");

    assert.deepEqual((await readdir(cwd)).sort(), ["other.yaml", "srv"]);
    assert.ok((await readdir(data)).includes("holdall.db"));
  });

  test("say so when this user may not look into it, instead of that nothing is there", async (t) => {
    const unprivileged = requireUnprivileged(t);
    if (unprivileged === undefined) return;
    const data = join(cwd, "data");
    await mkdir(data);
    await chmod(data, 0);
    t.after(() => chmod(data, 0o700));
    for (const command of ["user list", "token list", "repo list"]) {
      const ended = await spawnHoldall([...command.split(" "), "--data", data], { cwd, under: unprivileged });
      assert.deepEqual([ended.code, ended.stdout], [1, ""]);
      assert.equal(
        ended.stderr,
        `holdall: cannot look into the data folder ${data} (EACCES): ` +
          "do this as the user who runs the server, or give this user the right to\n",
      );
    }
  });
});
