import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";

export interface TimedOptions {
  readonly cwd?: string;
  /** The whole environment; this process's when left out. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Ends the program and its children. */
  readonly signal?: AbortSignal;
}

export interface Timed {
  readonly stdout: string;
  /** From start to end. */
  readonly seconds: number;
  /** User and system time of the program and of all the programs that it ran and waited for. */
  readonly cpuSeconds: number;
}

/** The shell's own times, then those of what it ran: POSIX, `times`. */
const TIMES = /^\S+ \S+\n(?<userMinutes>\d+)m(?<user>[\d.]+)s (?<systemMinutes>\d+)m(?<system>[\d.]+)s/;

/**
 * Runs a program to its end below a shell, which knows what its children have used.
 * @throws Error with the program's output unless it exits with 0
 */
export async function runTimed(program: string, args: readonly string[], o: TimedOptions = {}): Promise<Timed> {
  o.signal?.throwIfAborted();
  const script = '"$@"; code=$?; times >&3; exit $code';
  const started = performance.now();
  const child = spawn("sh", ["-c", script, "sh", program, ...args], {
    cwd: o.cwd,
    env: o.env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A process group of its own, to be ended as a whole.
    detached: true,
  });
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  o.signal?.addEventListener("abort", stop);
  try {
    const ended = new Promise<{ code: number | null; seconds: number }>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => resolve({ code, seconds: (performance.now() - started) / 1000 }));
    });
    const [{ code, seconds }, stdout, stderr, times] = await Promise.all([
      ended,
      ...[child.stdout, child.stderr, child.stdio[3]].map(textOf),
    ]);
    if (code !== 0) throw new Error(`${[program, ...args].join(" ")}: exit code ${code}\n${stdout}\n${stderr}`);
    return { stdout: stdout ?? "", seconds, cpuSeconds: childSeconds(times ?? "") };
  } finally {
    o.signal?.removeEventListener("abort", stop);
  }
}

/** All that comes out of a pipe. */
function textOf(pipe: unknown): Promise<string> {
  if (!(pipe instanceof Readable)) throw new Error("the shell was started without its pipes");
  return text(pipe);
}

/** @param times what a shell's `times` printed. @throws Error when it is something else */
export function childSeconds(times: string): number {
  const found = TIMES.exec(times)?.groups;
  if (found === undefined) throw new Error(`the shell's times are not understood: ${times}`);
  const { userMinutes, user, systemMinutes, system } = found;
  return (Number(userMinutes) + Number(systemMinutes)) * 60 + Number(user) + Number(system);
}
