import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { skip } from "../../support/require.ts";

/** False, and the test skipped, where the system does not keep the peak of a process's memory for others to read. */
export function requirePeakMemory(t: TestContext): boolean {
  if (process.platform === "linux") return true;
  skip(t, "reads the peak of memory from /proc, which only Linux has");
  return false;
}

const MIB = 1024 * 1024;
const LIMIT = 250 * MIB;

/** The most that the process has had in memory so far, in bytes. */
export async function peakMemory(pid: number): Promise<number> {
  const kib = /^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

/** That the process has never had more in memory than is promised. */
export async function assertLittleMemory(t: TestContext, pid: number): Promise<void> {
  const peak = await peakMemory(pid);
  t.diagnostic(`peak memory of the server: ${inMib(peak)}`);
  assert.ok(peak < LIMIT, `the server took ${inMib(peak)} of memory; ${inMib(LIMIT)} are promised`);
}

export function inMib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
