import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { CommanderError, type Command } from "commander";
import { loadConfig } from "../config/index.ts";
import { announce } from "../serve/announce.ts";
import { createProgram } from "./program.ts";
import { testFolder } from "./test-folder.ts";

const root = new URL("../../../../", import.meta.url);
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...(await readdir(new URL("docs", root))).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith(".md"))
  .sort();

interface Block {
  readonly language: string;
  readonly lines: readonly string[];
}

function blocksOf(document: string): Block[] {
  return [...document.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", lines = ""]) => ({
    language,
    lines: lines.split("\n"),
  }));
}

/** What blocks of shell are marked with. */
const SHELL: ReadonlySet<string> = new Set(["", "sh", "console"]);

/** A line of shell that calls holdall, by whatever way it is found. */
const CALL = /(?:^|[\s|;&(])(?:npx )?holdall /;

/** What a document tells its reader to run: blocks of shell, units of systemd, and calls in the middle of the text. */
function callsIn(document: string): string[] {
  const lines = blocksOf(document).flatMap(({ language, lines }) => {
    if (language === "ini") return lines.flatMap((line) => /^ExecStart=\S*\/(holdall .*)/.exec(line)?.[1] ?? []);
    return SHELL.has(language) ? lines : [];
  });
  const prose = document.replaceAll(/^```.*?^```$/gms, "").replaceAll(/^#.*/gm, "");
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, span = ""]) => (span.includes("<") ? [] : span));
  return [...lines, ...spans].filter((line) => CALL.test(line));
}

/** What a shell makes of the line: the arguments of each call of holdall. Other programs are not found. */
async function argumentsOf(line: string): Promise<string[][]> {
  const script = `
    holdall() { printf '%s\\0' "$@" >&3; printf '\\n' >&3; }
    npx() { "$@"; }
    ${line}`;
  const shell = spawn("/bin/sh", ["-c", script], {
    cwd: await testFolder(),
    env: { PATH: "" },
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  const noted = await text(shell.stdio[3] as Readable);
  return noted.split("\0\n").flatMap((call) => (call === "" ? [] : [call.split("\0")]));
}

function* leaves(command: Command): Generator<Command> {
  if (command.commands.length === 0) yield command;
  for (const child of command.commands) yield* leaves(child);
}

/** Has the real command line read the arguments, and does nothing. @throws CommanderError when it does not take them */
async function parse(args: readonly string[]): Promise<void> {
  const sink = new PassThrough().resume();
  const program = createProgram({ stdin: new PassThrough(), stdout: sink, stderr: sink, env: {}, cwd: "/" });
  for (const leaf of leaves(program)) leaf.action(() => {});
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    // Help and version.
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
  }
}

describe("what the documents tell to run", async () => {
  let found = 0;
  for (const name of documents) {
    const document = await readFile(new URL(name, root), "utf8");
    for (const line of callsIn(document)) {
      found += 1;
      test(`${name}: ${line}`, async () => {
        const calls = await argumentsOf(line);
        assert.ok(calls.length > 0, "holdall is called");
        for (const args of calls) await parse(args);
      });
    }
  }

  test("is found at all", () => assert.ok(found >= 10, `${found} calls were found`));

  test("by npm is there", async () => {
    const { scripts } = JSON.parse(await readFile(new URL("package.json", root), "utf8")) as { scripts: object };
    const named = new Set<string>();
    for (const name of documents) {
      for (const { language, lines } of blocksOf(await readFile(new URL(name, root), "utf8"))) {
        if (!SHELL.has(language)) continue;
        for (const [, script = ""] of lines.join("\n").matchAll(/\bnpm (?:run )?([a-z]+)\b/g)) named.add(script);
      }
    }
    assert.ok(named.has("start") && named.has("test"));
    assert.deepEqual(
      [...named].filter((script) => script !== "ci" && !Object.hasOwn(scripts, script)),
      [],
    );
  });

  for (const wrong of [
    "holdall serve --portt 1",
    "holdall usr list",
    "holdall user add",
    "A=$(holdall token create)",
  ]) {
    test(`and would not pass if it were wrong: ${wrong}`, async () => {
      const [args = []] = await argumentsOf(wrong);
      await assert.rejects(parse(args), CommanderError);
    });
  }
});

test("README.md shows the lines that the server prints, as they are", async () => {
  const stdout = new PassThrough();
  const { config } = await loadConfig({ cwd: await testFolder(), env: {} });
  announce(config, { address: config.listen.host, family: "IPv4", port: config.listen.port }, stdout);
  stdout.end();
  const printed = (await text(stdout)).split("\n").flatMap((line) => /^ {4}(git .*)/.exec(line)?.[1] ?? []);
  const readme = await readFile(new URL("README.md", root), "utf8");
  const shown = blocksOf(readme).find(({ lines }) => lines[0]?.startsWith("git "));
  assert.deepEqual(shown?.lines.filter(Boolean), printed);
});
