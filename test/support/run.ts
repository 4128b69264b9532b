import { spawn } from "node:child_process";

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment; this process's when left out. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Standard input. */
  readonly input?: string;
  /** After this the program and its children are killed and the run fails. */
  readonly timeoutSeconds?: number;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// Generous: a busy machine is no failure, and only what hangs is to be ended.
const TIMEOUT_SECONDS = 240;

/** Runs a program to its end, whatever its exit code. @throws Error when it cannot be started or does not end in time */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { cwd, env, input = "", timeoutSeconds = TIMEOUT_SECONDS } = options;
  // A process group of its own, so that a time-out ends git's children too.
  const child = spawn(program, args, { cwd, env, stdio: "pipe", detached: true });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A program that ends without reading its input is not at fault.
  child.stdin.on("error", () => {}).end(input);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, timeoutSeconds * 1000);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const finished = { code, stdout, stderr };
    if (late) throw new Error(`${describe(program, args, finished)}\nwas killed: not done after ${timeoutSeconds} s`);
    return finished;
  } finally {
    clearTimeout(timer);
  }
}

/** All that a program said: hooks of git write to standard output what one expects on standard error. */
export function said({ stdout, stderr }: Finished): string {
  return `${stdout}\n${stderr}`;
}

/** {@link run}, and an Error with all that the program said unless it exits with 0. */
export async function runWell(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const finished = await run(program, args, options);
  if (finished.code !== 0) throw new Error(describe(program, args, finished));
  return finished;
}

function describe(program: string, args: readonly string[], { code, stdout, stderr }: Finished): string {
  return `${[program, ...args].join(" ")}: exit code ${code}\n${stdout}\n${stderr}`;
}
