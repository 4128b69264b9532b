import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const HOOKS = `
  import { registerHooks } from "node:module";
  globalThis.loaded = [];
  registerHooks({
    load(url, context, next) {
      globalThis.loaded.push(url);
      return next(url, context);
    },
  });
`;

/** Every module that is loaded for this one, in a process that loads nothing else. */
async function loadedFor(module: string): Promise<string[]> {
  const url = JSON.stringify(new URL(module, import.meta.url).href);
  const program = `import ${url}; console.log(JSON.stringify(globalThis.loaded));`;
  const hooks = `data:text/javascript,${encodeURIComponent(HOOKS)}`;
  const args = [`--import=${hooks}`, "--input-type=module", "--eval", program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const loaded: unknown = JSON.parse(stdout);
  assert.ok(Array.isArray(loaded));
  return loaded.map(String);
}

const isAzure = (url: string): boolean => url.includes("/@azure/");

test("Azure's libraries are loaded for a store in Azure, and for nothing else", async () => {
  assert.deepEqual((await loadedFor("../index.ts")).filter(isAzure), []);
  assert.deepEqual((await loadedFor("./options.ts")).filter(isAzure), []);
  const loaded = await loadedFor("./open.ts");
  assert.ok(loaded.some((url) => url.includes("/@azure/storage-blob/")));
  assert.ok(!loaded.some((url) => url.includes("/@azure/identity/")), "identities only when there is no key");
});
