import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const BIN: string = fileURLToPath(new URL("../../bin/holdall.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** For tests: runs the program as a user would, in a folder, with this environment and nothing of our own. */
export async function spawnHoldall(
  args: readonly string[],
  o: {
    cwd: string;
    env?: NodeJS.ProcessEnv;
    input?: string | Uint8Array;
    stdout?: "closed";
    /** A command that turns into the one that follows it. */
    under?: readonly string[];
  },
): Promise<Ended> {
  const [program = "", ...rest] = [...(o.under ?? []), process.execPath, BIN, ...args];
  const child = spawn(program, rest, { cwd: o.cwd, env: o.env ?? {} });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  // A program that ends without reading its input is none of our business here.
  child.stdin.on("error", () => undefined);
  child.stdin.end(o.input ?? "");
  if (o.stdout === "closed") child.stdout.destroy();
  const output = o.stdout === "closed" ? "" : text(child.stdout);
  const [code, stdout, stderr] = await Promise.all([ended, output, text(child.stderr)]);
  return { code, stdout, stderr };
}
