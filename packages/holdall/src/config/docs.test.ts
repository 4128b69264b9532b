import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Compile } from "typebox/schema";
import { parse } from "yaml";
import { configJsonSchema } from "./json-schema.ts";
import { KEYS } from "./keys.ts";
import { loadConfig } from "./load.ts";

const docs = new URL("../../../../docs/", import.meta.url);
const document = await readFile(new URL("configuration.md", docs), "utf8");
const publishedSchema = Compile(configJsonSchema());

describe("docs/configuration.md", () => {
  test("has a row for each key, with its default and its variable, in the order of the schema, and no others", () => {
    const rows = [...document.matchAll(/^\| `([\w.]+)` \| (.*?) \| (`HOLDALL_\w+`|–) \| \S.* \|$/gm)];
    assert.deepEqual(
      rows.map(([, path, , variable]) => [path, variable]),
      KEYS.map(({ path, variable }) => [path, variable === undefined ? "–" : `\`${variable}\``]),
    );
    for (const { path, schema } of KEYS) {
      if (!("default" in schema)) continue;
      const shown = rows.find(([, key]) => key === path)?.[2];
      assert.equal(shown, Array.isArray(schema.default) ? "none" : `\`${String(schema.default)}\``, path);
    }
  });
});

for (const name of ["README.md", "docs/configuration.md", "docs/operations.md", "docs/transfers.md"]) {
  test(`${name} has examples that Holdall and the JSON Schema take`, async () => {
    const text = await readFile(new URL(`../${name}`, docs), "utf8");
    const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, example]) => example ?? "");
    assert.ok(examples.length > 0);
    const cwd = await mkdtemp(join(tmpdir(), "holdall-docs-"));
    try {
      for (const example of examples) {
        await writeFile(join(cwd, "holdall.yaml"), example);
        await loadConfig({ cwd, env: { SIGNING_SECRET: "x".repeat(32) } });
        assert.deepEqual(publishedSchema.Errors(parse(example))[1], []);
      }
    } finally {
      await rm(cwd, { recursive: true });
    }
  });
}

describe("docs/holdall.schema.json", () => {
  test("is what the code generates", async () => {
    const published: unknown = JSON.parse(await readFile(new URL("holdall.schema.json", docs), "utf8"));
    assert.deepEqual(published, configJsonSchema(), 'run "npx holdall config schema > docs/holdall.schema.json"');
  });

  for (const [file, valid] of [
    [{}, true],
    [{ workers: 4, limits: { jsonBody: 1024, drainTimeout: "5m" }, log: { level: "info" } }, true],
    [{ workers: "${N}", secret: "${S}", createRepositories: "${C:-true}", limits: { jsonBody: "${J}" } }, true],
    [{ access: [{ who: "users", repositories: "**", right: "read" }] }, true],
    [{ workers: "4" }, false],
    [{ workers: 65 }, false],
    [{ lisen: "x" }, false],
    [{ limits: { jsonBdoy: 1 } }, false],
    [{ limits: { drainTimeout: "5 minutes" } }, false],
    [{ secret: "short" }, false],
    [{ access: [{ who: "users" }] }, false],
  ] as const) {
    test(`${valid ? "takes" : "refuses"} ${JSON.stringify(file)}`, () =>
      assert.equal(publishedSchema.Check(file), valid));
  }
});
