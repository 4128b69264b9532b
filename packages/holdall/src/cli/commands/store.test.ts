import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, test } from "node:test";
import { spawnHoldall } from "../spawn-holdall.ts";
import { testFolder } from "../test-folder.ts";

describe("holdall store probe", async () => {
  const cwd = await testFolder();
  const url = pathToFileURL(join(cwd, "store")).href;

  test("says what a store can do and what it is fit for, and leaves nothing", async () => {
    const { code, stdout, stderr } = await spawnHoldall(["store", "probe", url], { cwd });
    assert.equal(code, 0);
    assert.match(stdout, /^CAN IT +WHY NOT$/m);
    assert.match(stdout, /^compare-and-swap +yes$/m);
    assert.match(stdout, /^presigned GET +–$/m);
    assert.match(stdout, /^Git remote, any number of writers +yes$/m);
    assert.match(stdout, /^LFS server, direct downloads +no +lacks presigned GET$/m);
    assert.match(stderr, /^trying conditional create$/m);
    const left = await readdir(join(cwd, "store"), { recursive: true, withFileTypes: true });
    assert.deepEqual(
      left.filter((entry) => entry.isFile() && !entry.parentPath.includes(".holdall")),
      [],
    );
  });

  test("--json prints one document and nothing else", async () => {
    const { code, stdout, stderr } = await spawnHoldall(["store", "probe", url, "--json", "--writers", "4"], { cwd });
    assert.deepEqual([code, stderr], [0, ""]);
    const { checks, jobs } = JSON.parse(stdout) as { checks: object[]; jobs: object[] };
    assert.deepEqual(checks[0], { name: "write", outcome: "works" });
    assert.deepEqual(jobs[0], { job: "LFS server, bytes through the server", fit: true, lacks: [] });
  });

  test("a store that cannot be written to is fit for nothing: exit code 1", async () => {
    const { code, stdout } = await spawnHoldall(["store", "probe", "file:///proc/nowhere"], { cwd });
    assert.equal(code, 1);
    assert.match(stdout, /^write +no +storing .* failed: ENOENT/m);
  });

  test("what is no store, and no number of writers, is said", async () => {
    const wrong = await spawnHoldall(["store", "probe", "ftp://x"], { cwd });
    assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
    assert.match(wrong.stderr, /^holdall: "ftp:\/\/x" is not a store URL/);
    assert.equal((await spawnHoldall(["store", "probe", url, "--writers", "1"], { cwd })).code, 2);
  });
});
