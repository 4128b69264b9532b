import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { skip } from "./story.ts";

/** False, and the test skipped, where the system does not keep the peak of a process's memory for others to read. */
export function requirePeakMemory(t: TestContext): boolean {
  if (process.platform === "linux") return true;
  skip(t, "reads the peak of memory from /proc, which only Linux has");
  return false;
}

const LIMIT_MIB = 250;

/** That the process has never had more in memory than is promised. */
export async function assertLittleMemory(t: TestContext, pid: number): Promise<void> {
  const kib = /^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  const mib = Number(kib) / 1024;
  t.diagnostic(`peak memory of the server: ${mib.toFixed(0)} MiB`);
  assert.ok(mib < LIMIT_MIB, `the server took ${mib.toFixed(0)} MiB of memory; ${LIMIT_MIB} are promised`);
}
