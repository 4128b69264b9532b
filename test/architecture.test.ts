import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
const SCOPE = "@holdall/";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The lines `package → package, package` in the code block below the heading "Who may import whom" of ARCHITECTURE.md. */
async function importTable(): Promise<Map<string, string[]>> {
  const text = await readFile(new URL("ARCHITECTURE.md", root), "utf8");
  const block = /### Who may import whom.*?```\n(.*?)```/s.exec(text)?.[1];
  assert.ok(block !== undefined, "ARCHITECTURE.md has no import table");
  const rows = block
    .trim()
    .split("\n")
    .map((line) => line.split("→").map((side) => side.trim()));
  return new Map(rows.map(([name = "", imports = ""]) => [name, imports === "–" ? [] : imports.split(", ").sort()]));
}

async function manifests(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const folder of await readdir(new URL("packages/", root))) {
    const text = await readFile(new URL(`packages/${folder}/package.json`, root), "utf8");
    const manifest = JSON.parse(text) as Manifest;
    const own = Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith(SCOPE));
    found.set(folder, own.map((name) => name.slice(SCOPE.length)).sort());
  }
  return found;
}

test("each package's manifest names the packages that the import table allows, and no others", async () => {
  assert.deepEqual(Object.fromEntries(await manifests()), Object.fromEntries(await importTable()));
});

test("each package is named after its folder", async () => {
  for (const folder of (await manifests()).keys()) {
    const text = await readFile(new URL(`packages/${folder}/package.json`, root), "utf8");
    const { name } = JSON.parse(text) as Manifest;
    assert.equal(name, folder === "holdall" ? "holdall" : SCOPE + folder);
  }
});
