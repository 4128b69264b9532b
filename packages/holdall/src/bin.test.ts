import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { skip } from "../../../test/support/require.ts";
import { type Ended, spawnHoldall } from "./cli/spawn-holdall.ts";
import { testFolder } from "./cli/test-folder.ts";

describe("bin/holdall.js", async () => {
  const cwd = await testFolder();
  const preloads = await testFolder();

  /** `holdall --version` on this Node, which says that it is another one. */
  async function asNode(version: string): Promise<Ended> {
    const preload = join(preloads, "another-node.cjs");
    await writeFile(
      preload,
      `const versions = { ...process.versions, node: ${JSON.stringify(version)} };
      Object.defineProperty(process, "versions", { value: versions });`,
    );
    return spawnHoldall(["--version"], { cwd, env: { NODE_OPTIONS: `--require=${preload}` } });
  }

  for (const older of ["24.11.1", "24.9.0", "22.21.0", "20.20.2"]) {
    test(`Node ${older} says which one is needed, and what to do`, async () => {
      const { code, stdout, stderr } = await asNode(older);
      assert.deepEqual([code, stdout], [1, ""]);
      const start = `holdall needs Node.js 24.12 or newer; this is ${older} (${process.execPath}).`;
      assert.ok(stderr.startsWith(start), stderr);
      assert.match(stderr, /npx holdall.*install Node\.js 24.*\n$/);
      assert.equal(stderr.split("\n").length, 2);
    });
  }

  test("the oldest Node that will do is one, and so is any newer", async () => {
    for (const newer of ["24.12.0", "25.0.0", "100.1.0"]) {
      const { code, stderr } = await asNode(newer);
      assert.deepEqual([code, stderr], [0, ""], newer);
    }
  });

  test("the thread pool has 16 threads, or as many as the environment says", async (t) => {
    if (!existsSync("/proc/self/task")) return skip(t, "only Linux shows a process's threads as files");
    const preload = join(preloads, "count-threads.mjs");
    await writeFile(
      preload,
      `import { readdirSync } from "node:fs";
      process.on("exit", () => console.error(readdirSync("/proc/self/task").length));`,
    );
    const threads = async (env: NodeJS.ProcessEnv): Promise<number> => {
      // Reads a file through the pool, which starts all its threads.
      const ended = await spawnHoldall(["config", "check"], {
        cwd,
        env: { ...env, NODE_OPTIONS: `--import=${preload}` },
      });
      return Number(ended.stderr);
    };
    assert.equal((await threads({})) - (await threads({ UV_THREADPOOL_SIZE: "1" })), 15);
  });

  test("nothing is left in the working folder", async () => {
    assert.equal((await spawnHoldall(["--help"], { cwd })).code, 0);
    assert.deepEqual(await readdir(cwd), []);
  });
});
