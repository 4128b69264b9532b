import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { createLogger } from "./log.ts";

const SECRET = "hunter2hunter2";
const request = {
  method: "GET",
  url: `/team/app/objects/x?token=${SECRET}`,
  headers: { authorization: `Basic ${SECRET}`, cookie: `s=${SECRET}`, host: "localhost" },
  body: { password: SECRET },
};

/** What is written by a logger of this format while `use` runs. */
function written(format: "pretty" | "json" | "auto", use: (logger: ReturnType<typeof createLogger>) => void): string {
  const stderr = new PassThrough();
  use(createLogger({ level: "info", format }, stderr));
  return String(stderr.read() ?? "");
}

describe("the logger", () => {
  for (const format of ["json", "pretty"] as const) {
    test(`never shows what a request carries in secret, as ${format}`, () => {
      const text = written(format, (logger) => {
        logger.info({ req: request }, "request");
        logger.child({ request }).error({ err: new Error(`cannot GET ${request.url}`) }, `failed: ${request.url}`);
      });
      assert.match(text, /team\/app\/objects\/x/);
      assert.ok(!text.includes(SECRET), text);
    });
  }

  test("writes one JSON object a line, with the level in words and the time in ISO 8601", () => {
    const lines = written("json", (logger) => {
      logger.info({ requestId: "r1" }, "one");
      logger.debug("not at this level");
      logger.warn("two");
    });
    const entries = lines
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      entries.map(({ level, msg, requestId }) => [level, msg, requestId]),
      [
        ["info", "one", "r1"],
        ["warn", "two", undefined],
      ],
    );
    for (const { time } of entries) assert.equal(new Date(String(time)).toISOString(), time);
  });

  test("is pretty on a terminal and JSON elsewhere, when the format is auto", () => {
    assert.match(
      written("auto", (logger) => logger.info("hello")),
      /^\{.*"hello"/,
    );
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    createLogger({ level: "info", format: "auto" }, terminal).info("hello");
    assert.match(String(terminal.read()), /INFO.*hello/);
  });

  for (const [how, end] of [
    ["by itself", ""],
    ["at once", "process.exit(0);"],
    ["by an exception", "throw new Error('the end');"],
    ["before a write that it begins is done", "fs.write = () => {};"],
  ] as const) {
    test(`has written everything when the process ends ${how}`, () => {
      const script = `
        import fs from "node:fs";
        import { createLogger } from ${JSON.stringify(new URL("log.ts", import.meta.url).href)};
        const logger = createLogger({ level: "info", format: "json" }, process.stderr);
        for (let i = 1; i <= 300; i++) logger.info("line " + i);
        ${end}`;
      const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
      assert.equal(stderr.match(/"msg":"line \d+"/g)?.length, 300);
    });
  }
});
