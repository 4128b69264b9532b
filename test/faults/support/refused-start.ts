import assert from "node:assert/strict";
import { cleanEnvironment, HOLDALL_BIN } from "../../support/holdall.ts";
import { run } from "../../support/run.ts";

/** Runs `holdall serve`, which must refuse to start: exit code 1, nothing on standard output, one line on standard error. */
export async function refusedStart(
  args: readonly string[],
  o: { cwd?: string; under?: readonly string[]; env?: Readonly<NodeJS.ProcessEnv> } = {},
): Promise<string> {
  const { under = [], env = {}, ...options } = o;
  const [program = "", ...rest] = [...under, process.execPath, HOLDALL_BIN, "serve", ...args];
  const { code, stdout, stderr } = await run(program, rest, {
    ...options,
    env: { ...cleanEnvironment(), ...env },
    timeoutSeconds: 60,
  });
  assert.deepEqual({ code, stdout, lines: stderr.split("\n").length - 1 }, { code: 1, stdout: "", lines: 1 }, stderr);
  return stderr.trimEnd();
}
