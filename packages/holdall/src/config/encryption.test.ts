import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { keyringOf } from "./encryption.ts";
import { ConfigError } from "./errors.ts";
import { loadConfig, type LoadedConfig } from "./load.ts";
import { printConfig, shownSettings } from "./print.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdall-config-"));
});
after(() => rm(folder, { recursive: true }));

const [first, second] = [randomBytes(32), randomBytes(32)];
const FIRST = first.toString("base64");
const SECOND = second.toString("hex");

/** Loads a configuration file with these lines. */
async function load(lines: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<LoadedConfig> {
  const cwd = await mkdtemp(join(folder, "case-"));
  await writeFile(join(cwd, "holdall.yaml"), lines.join("\n"));
  return await loadConfig({ cwd, env });
}

async function problemsOf(lines: readonly string[]): Promise<readonly string[]> {
  const error = await load(lines).catch((error: unknown) => error);
  assert.ok(error instanceof ConfigError, "the configuration is refused");
  assert.ok(!error.message.includes(FIRST) && !error.message.includes(SECOND), "no key is shown");
  return error.problems;
}

const keys = [
  "encryption:",
  "  current: b",
  "  keys:",
  `    - {id: a, key: "${FIRST}"}`,
  `    - {id: b, key: ${SECOND}}`,
];

const rule = (repositories: string, transfer: string): string =>
  `  - {repositories: ${repositories}, transfer: ${transfer}, multipartThreshold: 16MiB, partSize: 8MiB}`;

describe("encryption", () => {
  test("is off without keys", async () => {
    assert.equal(keyringOf((await load([])).config), undefined);
    assert.equal(keyringOf((await load(["encryption:", "  # current: a"])).config), undefined);
  });

  test("has keys in base64 or hexadecimal digits, and a current one, also from variables", async () => {
    const { config } = await load(keys);
    assert.deepEqual(keyringOf(config)?.current.key.export(), second);
    assert.deepEqual(keyringOf(config)?.find("a")?.key.export(), first);
    const fromVariables = await load(["encryption:", "  keys:", '    - {id: a, key: "${THE_KEY}"}'], {
      THE_KEY: SECOND,
      HOLDALL_ENCRYPTION_CURRENT: "a",
    });
    assert.deepEqual(keyringOf(fromVariables.config)?.current.key.export(), second);
  });

  test("keys are never shown, wherever the configuration is", async () => {
    const loaded = await load(keys);
    const shown = shownSettings(loaded).find(({ key }) => key === "encryption.keys");
    assert.deepEqual(shown?.value, [
      { id: "a", key: "********" },
      { id: "b", key: "********" },
    ]);
    for (const text of [printConfig(loaded), inspect(loaded.config, { depth: null }), JSON.stringify(loaded.config)]) {
      assert.ok(!text.includes(FIRST) && !text.includes(SECOND), text);
    }
  });

  for (const [what, lines, expected] of [
    [
      "a key of another length",
      ["encryption:", "  current: a", "  keys:", '    - {id: a, key: "c2hvcnQ="}'],
      /^holdall\.yaml:4:20: encryption\.keys\[0\]\.key: it is not 32 bytes in base64 .*openssl rand -base64 32"$/,
    ],
    [
      "an id that is none",
      ["encryption:", "  keys:", `    - {id: a b, key: ${SECOND}}`],
      /^holdall\.yaml:3:12: encryption\.keys\[0\]\.id: "a b" is no key id: use up to 32 letters/,
    ],
    [
      "a number for an id",
      ["encryption:", "  current: 2026"],
      /^holdall\.yaml:2:12: encryption\.current: must be text that is not empty, not 2026$/,
    ],
    [
      "keys without a current one",
      ["encryption:", "  keys:", `    - {id: a, key: ${SECOND}}`],
      /^holdall\.yaml:3: encryption\.keys: name the one that new objects are encrypted with/,
    ],
    [
      "a current one that is not among them",
      ["encryption:", "  current: c", "  keys:", `    - {id: a, key: ${SECOND}}`],
      /^holdall\.yaml:4: encryption\.keys: there is no key with the id c, which is to be the current one: add it$/,
    ],
    [
      "a current one without keys",
      ["encryption: {current: c}"],
      /^default: encryption\.keys: there is no key with the id c/,
    ],
    [
      "two of one id",
      [...keys, `    - {id: a, key: ${SECOND}}`],
      /^holdall\.yaml:4: encryption\.keys: two keys have the id a: give each one of its own$/,
    ],
    [
      "direct transfers",
      ["transfer: direct", ...keys],
      /^holdall\.yaml:1: transfer: direct lets bytes pass the server by, which alone can encrypt/,
    ],
    ["transfers that may be direct", ["transfer: auto", ...keys], /^holdall\.yaml:1: transfer: auto lets bytes pass/],
    [
      "direct transfers by a rule",
      ["transferRules:", rule("a", "proxy"), rule("b", "direct"), ...keys],
      /^holdall\.yaml:2: transferRules: rule 2: direct lets bytes pass the server by/,
    ],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const problems = await problemsOf(lines);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.match(problems[0] ?? "", expected);
    });
  }

  test("goes with rules that send bytes through the server", async () => {
    await load(["transferRules:", rule("a", "proxy"), ...keys]);
  });
});
