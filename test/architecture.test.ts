import assert from "node:assert/strict";
import { glob, readdir, readFile } from "node:fs/promises";
import { posix, sep } from "node:path";
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

/** What tests and their fixtures may reach beside their own package. */
const TEST_SUPPORT = "test/support/";
const FOR_TESTS = /\.test\.ts$|\/fixtures\/|^packages\/[^/]+\/test\//;

/** In whatever way it is written: static or dynamic, for values or for types, `require` and `import.meta.resolve` too. */
const IMPORTED = /(?<![.#\w])(?:from|import(?:\.meta\.resolve)?|require)\s*\(?\s*(["'`])(?<specifier>[^"'`\n]+)\1/g;
const COMPUTED = /(?<![.#\w])import\s*\((?!\s*["'`][^"'`\n]+["'`]\s*[),])/;

function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORTED)].map(({ groups }) => groups?.["specifier"] ?? "");
}

/** Whether a file may import this; `dependencies` are those packages of ours that its manifest names. */
function isAllowed(file: string, specifier: string, dependencies: readonly string[]): boolean {
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file), specifier);
    const own = file.split("/", 2).join("/");
    return target.startsWith(`${own}/`) || (FOR_TESTS.test(file) && target.startsWith(TEST_SUPPORT));
  }
  const [, scope, name = ""] = /^(@holdall\/)?([^/]+)/.exec(specifier) ?? [];
  const ours = scope !== undefined || name === "holdall";
  return !specifier.startsWith("/") && (!ours || dependencies.includes(name));
}

test("no file of a package imports a package that its manifest does not name, nor a file outside of the package", async () => {
  const dependencies = await manifests();
  const refused: string[] = [];
  let looked = 0;
  for await (const found of glob("packages/*/{src,bin,test}/**/*.{ts,js}", { cwd: root })) {
    looked += 1;
    const file = found.replaceAll(sep, "/");
    const source = await readFile(new URL(file, root), "utf8");
    const own = dependencies.get(file.split("/")[1] ?? "") ?? [];
    for (const specifier of importsOf(source)) {
      if (!isAllowed(file, specifier, own)) refused.push(`${file}: ${specifier}`);
    }
    if (COMPUTED.test(source)) refused.push(`${file}: an import of what only shows when it runs`);
  }
  assert.ok(looked > 0);
  assert.deepEqual(refused, []);
});

test("an import is seen in whatever way it is written", () => {
  const ways = [
    'import { a } from "x";',
    'import type { A } from "x";',
    'import {\n  a,\n  b,\n} from "x";',
    'import "x";',
    'export * from "x";',
    'export type { A } from "x";',
    'const a = await import("x");',
    'const a = await import(\n  "x"\n);',
    "const a = await import(`x`);",
    'type A = import("x").A;',
    'const a = require("x");',
    'const url = import.meta.resolve("x");',
  ];
  for (const source of ways) {
    assert.deepEqual(importsOf(source), ["x"], source);
    assert.doesNotMatch(source, COMPUTED);
  }
  for (const source of ["import(x)", 'import("x" + y)']) assert.match(source, COMPUTED);
  assert.deepEqual(importsOf('Buffer.from("x"); gate.require("x");'), []);
});

test("what may be imported is the manifest's, and nothing by a path to another package", () => {
  const file = "packages/identity/src/sub/a.ts";
  const test = "packages/identity/src/sub/a.test.ts";
  for (const [from, specifier, allowed] of [
    [file, "@holdall/metadata", true],
    [file, "@holdall/metadata/contract", true],
    [file, "@holdall/object-store", false],
    [file, "holdall", false],
    [file, "node:fs", true],
    [file, "../b.ts", true],
    [file, "../../package.json", true],
    [file, "../../../metadata/src/index.ts", false],
    [file, "../../../../test/support/require.ts", false],
    [file, "/elsewhere/a.ts", false],
    [test, "../../../../test/support/require.ts", true],
    [test, "../../../metadata/src/index.ts", false],
    [test, "@holdall/object-store", false],
  ] as const) {
    assert.equal(isAllowed(from, specifier, ["lfs-protocol", "metadata"]), allowed, `${from}: ${specifier}`);
  }
});
