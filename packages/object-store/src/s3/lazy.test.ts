import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs before the module, and prints the packages that were loaded with it. */
const WATCH = `
  import { registerHooks } from "node:module";
  const packages = new Set();
  registerHooks({
    load(url, context, next) {
      const [, name] = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url) ?? [];
      if (name !== undefined) packages.add(name);
      return next(url, context);
    },
  });
  process.on("exit", () => console.log(JSON.stringify([...packages])));`;

async function loadedBy(module: string): Promise<string[]> {
  const watch = `data:text/javascript,${encodeURIComponent(WATCH)}`;
  const { stdout } = await run(process.execPath, ["--import", watch, fileURLToPath(new URL(module, import.meta.url))]);
  return JSON.parse(stdout) as string[];
}

test("the SDK is loaded by whoever opens a store, and not by the port or a store URL", async () => {
  assert.deepEqual(await loadedBy("../index.ts"), []);
  assert.deepEqual(await loadedBy("./options.ts"), []);
  assert.ok((await loadedBy("./open.ts")).includes("@aws-sdk/client-s3"));
});
