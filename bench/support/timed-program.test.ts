import assert from "node:assert/strict";
import { test } from "node:test";
import { childSeconds, runTimed } from "./timed-program.ts";

test("the times of bash and dash are understood, and only the children's count", () => {
  assert.equal(childSeconds("0m9.000s 0m9.000s\n1m2.500s 0m0.250s\n"), 62.75);
  assert.equal(childSeconds("0m0.000000s 0m0.010000s\n0m1.500000s 2m0.500000s\n"), 122);
  assert.throws(() => childSeconds(""), /not understood/);
});

test("what a program's own children use counts too", async () => {
  const burn = `const end = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < end);`;
  const parent = `require("node:child_process").execFileSync(process.execPath, ["-e", ${JSON.stringify(burn)}]); console.log("done")`;
  const { stdout, seconds, cpuSeconds } = await runTimed(process.execPath, ["-e", parent]);
  assert.equal(stdout, "done\n");
  assert(cpuSeconds >= 0.2, `${cpuSeconds} s`);
  assert(seconds >= 0.2, `${seconds} s`);
});

test("a program that fails is an error with what it said", async () => {
  const failing = `console.error("no such thing"); process.exitCode = 3`;
  await assert.rejects(runTimed(process.execPath, ["-e", failing]), /exit code 3\n\nno such thing/);
});

test("a program is ended on demand, with its children", async () => {
  const signal = AbortSignal.timeout(100);
  await assert.rejects(runTimed("sh", ["-c", "sleep 60; true"], { signal }), /exit code null/);
});
