import assert from "node:assert/strict";
import { test } from "node:test";
import { skip } from "../../test/support/require.ts";
import { parseStat, usageOfTree } from "./process-usage.ts";

test("a program's name does not confuse its numbers", () => {
  const rest = "S 7 1 1 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7";
  assert.deepEqual(parseStat(`42 (a) b (c) ${rest}`), { parent: 7, ticks: 127 });
});

test("a process's memory and time are found", async (t) => {
  if (process.platform !== "linux") return skip(t, "reads Linux's /proc");
  const { cpuSeconds, peakBytes } = await usageOfTree(process.pid);
  assert(peakBytes >= process.memoryUsage.rss());
  const { user, system } = process.cpuUsage();
  assert(Math.abs(cpuSeconds - (user + system) / 1e6) < 0.5, `${cpuSeconds} s`);
});
