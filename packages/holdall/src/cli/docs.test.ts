import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { EXIT_CODES } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

const document = await readFile(new URL("../../../../docs/cli.md", import.meta.url), "utf8");

/** The text under each `### \`holdall …\`` heading. */
const sections = new Map(
  document
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [heading = "", ...lines] = section.split("\n");
      return [heading.replaceAll("`", ""), lines.join("\n").split(/^## /m)[0] ?? ""] as const;
    }),
);

function* leaves(command: Command, path: string): Generator<{ usage: string; command: Command }> {
  if (command.commands.length === 0) {
    const args = command.registeredArguments
      .map((argument) => (argument.required ? ` <${argument.name()}>` : ` [${argument.name()}]`))
      .join("");
    yield { usage: path + args, command };
  }
  for (const child of command.commands) yield* leaves(child, `${path} ${child.name()}`);
}

const [stdin, sink] = [new PassThrough(), new PassThrough()];
const program = createProgram({ stdin, stdout: sink, stderr: sink, env: {}, cwd: "/" });
const commands = [...leaves(program, "holdall")];

describe("docs/cli.md", () => {
  test("has a section for each command, and for nothing else", () => {
    assert.deepEqual(
      [...sections.keys()],
      commands.map(({ usage }) => usage),
    );
  });

  for (const { usage, command } of commands) {
    test(`describes ${usage} as its help does, with all its options and no others`, () => {
      const section = sections.get(usage) ?? "";
      assert.ok(section.includes(`\n${command.description()}\n`), section);
      const documented = [...section.matchAll(/(?:^- |, )`(--[^`]+)`/gm)].map(([, flags]) => flags);
      const known = command.options.map(({ flags }) => flags).filter((flags) => flags !== "--version");
      assert.deepEqual(new Set(documented), new Set(known));
    });
  }

  test("has the table of exit codes", () => {
    const rows = [...document.matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, meaning]) => [Number(code), meaning]);
    assert.deepEqual(
      rows,
      Object.values(EXIT_CODES).map(({ code, meaning }) => [code, meaning]),
    );
  });
});
