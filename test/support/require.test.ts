import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setVariable } from "./environment.ts";
import { CHECKOUT } from "./holdall.ts";
import { skip } from "./require.ts";

/** Only what is asked of a test's context here. */
function context(): { readonly skip: (reason?: string) => void; readonly reasons: (string | undefined)[] } {
  const reasons: (string | undefined)[] = [];
  return { skip: (reason) => void reasons.push(reason), reasons };
}

test("a test is skipped with its reason, and with CI=true it fails with it", (t) => {
  const skipped = context();
  setVariable(t, "CI", "false");
  skip(skipped, "no moon tonight");
  assert.deepEqual(skipped.reasons, ["no moon tonight"]);

  setVariable(t, "CI", "true");
  assert.throws(() => skip(skipped, "no moon tonight"), /CI=true.*no moon tonight/);
  assert.deepEqual(skipped.reasons.length, 1);
});

/** They skip what an adapter does not claim, or does otherwise by its own account: that is so on every machine. */
const CONTRACT = /^packages\/object-store\/src\/contract(\/|\.ts$)/;

test("no test skips in another way, which would go unseen in CI", async () => {
  const found: string[] = [];
  for (const folder of ["packages", "test", "scripts", "bench"]) {
    for (const name of await readdir(join(CHECKOUT, folder), { recursive: true })) {
      const file = `${folder}/${name}`;
      if (!name.endsWith(".ts") || name.includes("node_modules") || CONTRACT.test(file)) continue;
      const text = await readFile(join(CHECKOUT, file), "utf8");
      // Numbers are counted with that word too.
      if (text.includes('"node:test"') && /\bskip: (?!\d)|\b\w+\.(skip|todo)\(/.test(text)) found.push(file);
    }
  }
  assert.deepEqual(found.sort(), ["test/support/require.test.ts", "test/support/require.ts"]);
});
