import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { testFolder } from "../cli/test-folder.ts";
import { loadConfig } from "../config/index.ts";
import { announce } from "./announce.ts";

const BIN = fileURLToPath(new URL("../../bin/holdall.js", import.meta.url));

/** What a server prints when it has started; it is stopped then. */
async function announced(t: TestContext, cwd: string, ...args: string[]): Promise<string> {
  const server = spawn(process.execPath, [BIN, "serve", ...args], {
    cwd,
    env: {},
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(server, "exit");
  t.after(() => server.kill("SIGKILL"));
  const lines: string[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    lines.push(line);
    if (line.includes("git add")) server.kill("SIGTERM");
  }
  assert.deepEqual(await ended, [0, null], lines.join("\n"));
  return lines.join("\n");
}

describe("what a server prints when it has started", async () => {
  const cwd = await testFolder();

  test("is where it listens, and an address for repositories that works on this machine", async (t) => {
    const text = await announced(t, cwd, "--listen", "127.0.0.1:0");
    const [, url = ""] = /^Holdall listening on (http:\/\/127\.0\.0\.1:\d+)\n/.exec(text) ?? assert.fail(text);
    assert.ok(text.includes(` lfs.url ${url}/team/project\n`), text);
  });

  const NO_ADDRESS = /for HOST the name by which others reach this machine; --public-url puts it here\):$/m;

  for (const workers of ["1", "2"]) {
    test(`names no address that is none, when it listens on all of them (workers: ${workers})`, async (t) => {
      const text = await announced(t, cwd, "--listen", "0.0.0.0:0", "--workers", workers);
      const [, port = ""] = /^Holdall listening on http:\/\/0\.0\.0\.0:(\d+)\n/.exec(text) ?? assert.fail(text);
      assert.ok(text.includes(` lfs.url http://HOST:${port}/team/project\n`), text);
      assert.match(text, NO_ADDRESS);
    });
  }

  test("names no address that is none, when it listens on all of IPv6", async () => {
    const { config } = await loadConfig({ cwd, env: {}, flags: { "--listen": "[::]:8080" } });
    const stdout = new PassThrough();
    announce(config, { address: "::", family: "IPv6", port: 8080 }, stdout);
    const text = String(stdout.read());
    assert.ok(text.startsWith("Holdall listening on http://[::]:8080\n"), text);
    assert.ok(text.includes(" lfs.url http://HOST:8080/team/project\n"), text);
    assert.match(text, NO_ADDRESS);
  });

  test("is the public URL where there is one", async (t) => {
    const text = await announced(t, cwd, "--listen", "0.0.0.0:0", "--public-url", "https://lfs.example.com/lfs/");
    assert.ok(text.includes(" lfs.url https://lfs.example.com/lfs/team/project\n"), text);
    assert.doesNotMatch(text, /HOST/);
  });
});
