import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { createProgram } from "./program.ts";
import { run } from "./run.ts";
import { spawnHoldall } from "./spawn-holdall.ts";
import { testFolder } from "./test-folder.ts";

/** Runs in this process: what these tests are about ends before a command does anything. */
async function runHere(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const code = await run(args, { stdin, stdout, stderr, env: {}, cwd: "/" });
  return { code, stdout: String(stdout.read() ?? ""), stderr: String(stderr.read() ?? "") };
}

function* paths(command: Command, path: readonly string[] = []): Generator<readonly string[]> {
  yield path;
  for (const child of command.commands) yield* paths(child, [...path, child.name()]);
}

/** What a command wants before it looks at anything else. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  "token create": ["--user", "alice"],
  "repo restore": ["--generation", "1"],
};

const [stdin, sink] = [new PassThrough(), new PassThrough()];
const commands = [...paths(createProgram({ stdin, stdout: sink, stderr: sink, env: {}, cwd: "/" }))];

describe("every command", () => {
  for (const path of commands) {
    const name = ["holdall", ...path].join(" ");
    test(`${name} has --help`, async () => {
      const { code, stdout, stderr } = await runHere(...path, "--help");
      assert.deepEqual([code, stderr], [0, ""]);
      assert.ok(stdout.startsWith(`Usage: ${name} `), stdout);
    });
    test(`${name} has --version`, async () => {
      const { code, stdout, stderr } = await runHere(...path, "--version");
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    });
    test(`${name} refuses an option too many, with exit code 2`, async () => {
      const required = REQUIRED[path.join(" ")] ?? [];
      const { code, stdout, stderr } = await runHere(...path, ...required, "--frobnicate");
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /^holdall: unknown option '--frobnicate'\n/);
      assert.ok(stderr.endsWith(`Run "${name} --help" for what it takes.\n`), stderr);
    });
  }
});

describe("a wrong command line", () => {
  for (const [args, code, message] of [
    [["sevre"], 2, /unknown command 'sevre'\n\(Did you mean serve\?\)/],
    [["user", "ad"], 2, /unknown command 'ad'\n\(Did you mean add\?\)/],
    [["serve", "--lisen", "x"], 2, /unknown option '--lisen'\n\(Did you mean --listen\?\)/],
    [["serve", "--listen"], 2, /option '--listen <host:port>' argument missing/],
    [["user", "add"], 2, /missing required argument 'name'/],
    [["repo", "show", "a", "b"], 2, /too many arguments/],
    [[], 2, /^Usage: holdall /],
    [["token"], 2, /^Usage: holdall token /],
    [["serve", "--workers", "many"], 1, /^--workers: must be a whole number from 1 to 64, not "many"\n$/],
    [["serve", "--public-url", "lfs"], 1, /^--public-url: must be an absolute URL/],
    [["serve", "--config", "/absent.yaml"], 1, /^\/absent\.yaml: cannot be read: there is no such file\n$/],
  ] as const) {
    test(`"${args.join(" ")}" ends with ${code} and says what is wrong`, async () => {
      const ended = await runHere(...args);
      assert.deepEqual([ended.code, ended.stdout], [code, ""]);
      assert.match(ended.stderr, message);
    });
  }

  test("has its exit code as a process, too", async () => {
    const ended = await spawnHoldall(["user", "add"], { cwd: await testFolder() });
    assert.deepEqual([ended.code, ended.stdout], [2, ""]);
  });
});
