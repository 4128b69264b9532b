import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { exclusively } from "./exclusive.ts";

async function lockFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdall-exclusive-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "lock");
}

/** A process that runs `work`, JavaScript that may use `fs`, under the lock. */
function holder(lock: string, work: string): ChildProcess {
  const module = JSON.stringify(import.meta.resolve("./exclusive.ts"));
  const program = `import fs from "node:fs"; import { exclusively } from ${module};
    await exclusively(${JSON.stringify(lock)}, async () => { ${work} });`;
  return spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
}

test("of several processes only one at a time is at work", async (t) => {
  const lock = await lockFile(t);
  const log = JSON.stringify(`${lock}.log`);
  const work = `fs.appendFileSync(${log}, "in "); await new Promise((done) => setTimeout(done, 50)); fs.appendFileSync(${log}, "out ");`;
  const processes = Array.from({ length: 4 }, () => holder(lock, work));
  const codes = await Promise.all(processes.map(async (child) => ((await once(child, "exit")) as [number])[0]));
  assert.deepEqual(codes, [0, 0, 0, 0]);
  assert.equal(await readFile(`${lock}.log`, "utf8"), "in out ".repeat(4));
});

test("a process that dies at work leaves nothing locked", async (t) => {
  const lock = await lockFile(t);
  const child = holder(lock, `console.log("at work"); await new Promise((done) => setTimeout(done, 60_000));`);
  assert(child.stdout !== null);
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await exclusively(lock, async () => "mine"), "mine");
});

test("what the work throws comes out, and the lock is given back", async (t) => {
  const lock = await lockFile(t);
  await assert.rejects(
    exclusively(lock, () => Promise.reject(new Error("no luck"))),
    /no luck/,
  );
  assert.equal(await exclusively(lock, async () => "mine"), "mine");
});
