import { readdir, readFile } from "node:fs/promises";

/** What a process and all its descendants have used since they started. */
export interface ProcessUsage {
  /** User and system time, in seconds, of descendants that have ended too. */
  readonly cpuSeconds: number;
  /** The highest resident memory of each process, added up, in bytes: pages that they share count more than once. */
  readonly peakBytes: number;
}

/** The unit of times in /proc (USER_HZ): the same on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Reads Linux's /proc (proc_pid_stat(5), proc_pid_status(5)). @throws Error when the process has ended */
export async function usageOfTree(pid: number): Promise<ProcessUsage> {
  const stats = new Map<number, Stat>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readIfThere(`/proc/${name}/stat`);
    if (text !== undefined) stats.set(Number(name), parseStat(text));
  }
  if (!stats.has(pid)) throw new Error(`process ${pid} has ended, so what it used is no longer known`);
  let cpuSeconds = 0;
  let peakBytes = 0;
  for (const [member, stat] of stats) {
    if (!isBelow(member, pid, stats)) continue;
    cpuSeconds += stat.ticks / TICKS_PER_SECOND;
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec((await readIfThere(`/proc/${member}/status`)) ?? "")?.[1];
    peakBytes += Number(kibibytes ?? 0) * 1024;
  }
  return { cpuSeconds, peakBytes };
}

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

/** @param text of /proc/PID/stat, where the name of the program, in parentheses, may hold anything */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // Fields 14 to 17 of the manual, which counts the two before these from 1: utime, stime, cutime, cstime.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[1]), ticks };
}

function isBelow(pid: number, root: number, stats: ReadonlyMap<number, Stat>): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = stats.get(at)?.parent) if (at === root) return true;
  return false;
}

/** Processes come and go while they are listed. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
}
