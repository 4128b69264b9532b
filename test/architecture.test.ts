import assert from "node:assert/strict";
import { glob, readdir, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { posix, sep } from "node:path";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
const SCOPE = "@holdall/";
const OURS = /^(@holdall\/|holdall$)/;

type Section = "dependencies" | "optionalDependencies" | "peerDependencies" | "devDependencies";

type Manifest = { readonly name: string } & { readonly [section in Section]?: Readonly<Record<string, string>> };

/** What whoever installs a package has beside it, or is told to have. */
const INSTALLED = ["dependencies", "optionalDependencies", "peerDependencies"] as const;

async function manifestIn(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(new URL(`${folder}package.json`, root), "utf8")) as Manifest;
}

function namesIn(manifest: Manifest, sections: readonly Section[]): string[] {
  return sections.flatMap((section) => Object.keys(manifest[section] ?? {}));
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

/** Each package's manifest, by its folder. */
async function manifests(): Promise<Map<string, Manifest>> {
  const folders = await readdir(new URL("packages/", root));
  return new Map(
    await Promise.all(folders.map(async (folder) => [folder, await manifestIn(`packages/${folder}/`)] as const)),
  );
}

test("each package's manifest names the packages that the import table allows, and no others", async () => {
  const named = [...(await manifests())].map(([folder, manifest]) => {
    const ours = namesIn(manifest, [...INSTALLED, "devDependencies"]).filter((name) => OURS.test(name));
    return [folder, ours.map((name) => name.replace(SCOPE, "")).sort()];
  });
  assert.deepEqual(Object.fromEntries(named), Object.fromEntries(await importTable()));
});

test("each package is named after its folder", async () => {
  for (const [folder, { name }] of await manifests()) {
    assert.equal(name, folder === "holdall" ? "holdall" : SCOPE + folder);
  }
});

/** What tests and their fixtures may reach beside their own package. */
const TEST_SUPPORT = "test/support/";
const FOR_TESTS = /\.test\.ts$|\/fixtures\/|^packages\/[^/]+\/test\//;

/** In whatever way it is written: static or dynamic, for values or for types, `require` and `import.meta.resolve` too. */
const IMPORTED =
  /(?<![.#\w])(?:from\s*(?=["'])|(?:import(?:\.meta\.resolve)?|require)\s*\(?\s*)(["'`])(?<specifier>[^"'`\n]+)\1/g;
const COMPUTED = /(?<![.#\w])import\s*\((?!\s*["'`][^"'`\n]+["'`]\s*[),])/;

function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORTED)].map(({ groups }) => groups?.["specifier"] ?? "");
}

/** The packages that a manifest lets files import. */
interface Importable {
  readonly everywhere: readonly string[];
  readonly inTests: readonly string[];
}

/** Tests never leave the workspace, so what its root names is there for all of them. */
function importable(manifest: Manifest, workspace: Manifest): Importable {
  const inTests = [...namesIn(manifest, ["devDependencies"]), ...namesIn(workspace, ["devDependencies"])];
  return { everywhere: namesIn(manifest, INSTALLED), inTests };
}

function isAllowed(file: string, specifier: string, { everywhere, inTests }: Importable): boolean {
  const forTests = FOR_TESTS.test(file);
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file), specifier);
    const own = file.split("/", 2).join("/");
    return target.startsWith(`${own}/`) || (forTests && target.startsWith(TEST_SUPPORT));
  }
  if (isBuiltin(specifier)) return true;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? "";
  return everywhere.includes(name) || (forTests && inTests.includes(name));
}

test("no file of a package imports a package that its manifest does not name, nor a file outside of the package", async () => {
  const packages = await manifests();
  const workspace = await manifestIn("");
  const refused: string[] = [];
  let looked = 0;
  for await (const found of glob("packages/*/{src,bin,test}/**/*.{ts,js}", { cwd: root })) {
    looked += 1;
    const file = found.replaceAll(sep, "/");
    const source = await readFile(new URL(file, root), "utf8");
    const manifest = packages.get(file.split("/")[1] ?? "");
    assert.ok(manifest !== undefined, file);
    for (const specifier of importsOf(source)) {
      if (!isAllowed(file, specifier, importable(manifest, workspace))) refused.push(`${file}: ${specifier}`);
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
  assert.deepEqual(importsOf('Buffer.from("x"); gate.require("x"); // from `x`'), []);
});

test("what may be imported is the manifest's, in tests the workspace's tools too, and nothing by a path to another package", () => {
  const file = "packages/identity/src/sub/a.ts";
  const test = "packages/identity/src/sub/a.test.ts";
  const manifest: Manifest = {
    name: "@holdall/identity",
    dependencies: { "@holdall/metadata": "", yaml: "", "@scope/sdk": "" },
    optionalDependencies: { native: "" },
    peerDependencies: { peer: "" },
    devDependencies: { helper: "" },
  };
  const named = importable(manifest, { name: "workspace", dependencies: {}, devDependencies: { checker: "" } });
  for (const [from, specifier, allowed] of [
    [file, "@holdall/metadata", true],
    [file, "@holdall/metadata/contract", true],
    [file, "@holdall/object-store", false],
    [file, "holdall", false],
    [file, "node:fs", true],
    [file, "node:sqlite", true],
    [file, "node:fs/promises", true],
    [file, "yaml", true],
    [file, "yaml/part", true],
    [file, "@scope/sdk/part", true],
    [file, "native", true],
    [file, "peer", true],
    [file, "yam", false],
    [file, "@scope/other", false],
    [file, "helper", false],
    [file, "checker", false],
    [file, "../b.ts", true],
    [file, "../../package.json", true],
    [file, "../../../metadata/src/index.ts", false],
    [file, "../../../../test/support/require.ts", false],
    [file, "/elsewhere/a.ts", false],
    [test, "yaml", true],
    [test, "helper", true],
    [test, "checker", true],
    [test, "elsewhere", false],
    [test, "../../../../test/support/require.ts", true],
    [test, "../../../metadata/src/index.ts", false],
    [test, "@holdall/object-store", false],
  ] as const) {
    assert.equal(isAllowed(from, specifier, named), allowed, `${from}: ${specifier}`);
  }
});
