import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { requireService, skip } from "../../support/require.ts";
import { run } from "../../support/run.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/** A call as strace shows it, descriptors with the paths that they stand for. */
export interface SystemCall {
  readonly name: string;
  /** And its result. */
  readonly args: string;
  /** Places in the order of all beginnings and ends. */
  readonly began: number;
  readonly ended: number;
}

/** Looks over a process's shoulder: what it and its threads ask of the operating system, and in which order. */
export class SystemCalls {
  /** A command that turns into the one that follows it, watched. */
  readonly under: readonly string[];
  readonly #file: string;

  private constructor(under: readonly string[], file: string) {
    this.under = under;
    this.#file = file;
  }

  /** Undefined, and the test skipped, where that is not possible. */
  static async watch(t: TestContext, names: readonly string[]): Promise<SystemCalls | undefined> {
    const strace = await requireService(t, "strace");
    if (strace === undefined) return undefined;
    const file = join(await temporaryFolder(t, "strace"), "calls");
    // -D: the process that is watched stays the one that was started.
    const under = [strace.path, "-D", "-f", "-y", "-s", "32", "-e", `trace=${names.join(",")}`, "-o", file];
    const { code, stderr } = await run(strace.path, ["-o", "/dev/null", "true"]);
    if (code === 0) return new SystemCalls(under, file);
    skip(t, `strace may not watch other processes here: ${stderr}`);
    return undefined;
  }

  /** All calls of a process that has ended and of its threads. */
  async calls(pid: number): Promise<readonly SystemCall[]> {
    const end = new RegExp(`^${pid} +\\+\\+\\+ exited`, "m");
    let text = "";
    await eventually("strace has written everything down", async () => {
      text = await readFile(this.#file, "utf8");
      return end.test(text);
    });
    return parseCalls(text.split("\n"));
  }
}

const LINE =
  /^(?<thread>\d+) +(?:<\.\.\. (?<resumed>\w+) resumed>(?<rest>.*)|(?<name>\w+)\((?<args>.*?)(?<unfinished> <unfinished \.\.\.>)?$)/;

function parseCalls(lines: readonly string[]): SystemCall[] {
  const calls: SystemCall[] = [];
  /** A thread is in one call at a time. */
  const begun = new Map<string, Omit<SystemCall, "ended">>();
  for (const [at, line] of lines.entries()) {
    const { thread = "", name, args = "", resumed, rest = "", unfinished } = LINE.exec(line)?.groups ?? {};
    if (resumed !== undefined) {
      const call = begun.get(thread);
      assert.equal(call?.name, resumed, line);
      calls.push({ ...call, args: call.args + rest, ended: at });
    } else if (name !== undefined && unfinished !== undefined) {
      begun.set(thread, { name, args, began: at });
    } else if (name !== undefined) {
      calls.push({ name, args, began: at, ended: at });
    }
  }
  return calls;
}
