import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { describe, test } from "node:test";
import { skip } from "../../../test/support/require.ts";
import { spawnHoldall } from "./cli/spawn-holdall.ts";
import { testFolder } from "./cli/test-folder.ts";

describe("bin/holdall.js", async () => {
  const cwd = await testFolder();

  test("an older Node says which one is needed, and what to do", async (t) => {
    const older = findOlderNode();
    if (older === undefined) return skip(t, "this machine has no Node.js older than 24.12");
    const ended = await spawnHoldall(["--version"], { cwd, node: older.path });
    assert.deepEqual([ended.code, ended.stdout], [1, ""]);
    const start = `holdall needs Node.js 24.12 or newer; this is ${older.version} (`;
    assert.ok(ended.stderr.startsWith(start), ended.stderr);
    assert.match(ended.stderr, /npx holdall.*install Node\.js 24.*\n$/);
    assert.equal(ended.stderr.split("\n").length, 2);
  });

  test("the thread pool has 16 threads, or as many as the environment says", async (t) => {
    if (!existsSync("/proc/self/task")) return skip(t, "only Linux shows a process's threads as files");
    const preload = join(cwd, "count-threads.mjs");
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
    assert.deepEqual(
      (await readdir(cwd)).filter((name) => name !== "count-threads.mjs"),
      [],
    );
  });
});

function findOlderNode(): { path: string; version: string } | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
  for (const folder of folders) {
    const path = join(folder, "node");
    if (!existsSync(path)) continue;
    const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (major < 24 || (major === 24 && minor < 12)) return { path, version };
  }
  return undefined;
}
