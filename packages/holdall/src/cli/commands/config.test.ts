import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { configJsonSchema } from "../../config/json-schema.ts";
import { spawnHoldall, type Ended } from "../spawn-holdall.ts";
import { testFolder } from "../test-folder.ts";

describe("holdall config", async () => {
  const cwd = await testFolder();
  const run = (args: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    spawnHoldall(args.split(" "), { cwd, env });

  before(async () => {
    await writeFile(join(cwd, "holdall.yaml"), `secret: ${"s".repeat(32)}\nworkers: 2\n`);
    await writeFile(join(cwd, "bad.yaml"), "lisen: x\nworkers: 0\n");
  });

  test("check says ok", async () => {
    assert.deepEqual(await run("config check"), { code: 0, stdout: "ok\n", stderr: "" });
  });

  test("check tells every error on a line of its own", async () => {
    assert.deepEqual(await run("config check --config bad.yaml", { HOLDALL_LISTN: "x" }), {
      code: 1,
      stdout: "",
      stderr:
        "bad.yaml:1:1: unknown key lisen; the nearest known key is listen\n" +
        "bad.yaml:2:10: workers: must be a whole number from 1 to 64, not 0\n" +
        "HOLDALL_LISTN: unknown variable; the nearest known one is HOLDALL_LISTEN\n",
    });
  });

  test("print shows where values came from, and masks the secret", async () => {
    const { code, stdout, stderr } = await run("config print --data d", { HOLDALL_LISTEN: "127.0.0.1:0" });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, new RegExp(`^data: ${join(cwd, "d")} # --data$`, "m"));
    assert.match(stdout, /^listen: 127\.0\.0\.1:0 # HOLDALL_LISTEN$/m);
    assert.match(stdout, /^workers: 2 # holdall\.yaml:2$/m);
    assert.match(stdout, /^secret: "\*+" # holdall\.yaml:1$/m);
    assert.ok(!stdout.includes("sss"));
  });

  test("print --json has the documented shape, and masks the secret", async () => {
    const { stdout } = await run("config print --json");
    assert.ok(!stdout.includes("sss"));
    const { settings } = JSON.parse(stdout) as { settings: { key: string }[] };
    assert.deepEqual(
      settings.find(({ key }) => key === "workers"),
      { key: "workers", value: 2, from: "holdall.yaml:2" },
    );
    assert.deepEqual(
      settings.find(({ key }) => key === "secret"),
      {
        key: "secret",
        value: "********",
        from: "holdall.yaml:1",
      },
    );
  });

  test("schema prints the JSON Schema", async () => {
    assert.deepEqual(JSON.parse((await run("config schema")).stdout), configJsonSchema());
  });

  test("a pipe that nobody reads is no failure", async () => {
    const ended = await spawnHoldall(["config", "print"], { cwd, stdout: "closed" });
    assert.deepEqual(ended, { code: 0, stdout: "", stderr: "" });
  });
});
