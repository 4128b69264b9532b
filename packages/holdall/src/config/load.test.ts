import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ConfigError } from "./errors.ts";
import { loadConfig, type LoadedConfig, type LoadOptions } from "./load.ts";
import { printConfig } from "./print.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdall-config-"));
});
after(() => rm(folder, { recursive: true }));

/** Loads `text` as a file called holdall.yaml in a folder of its own. */
async function load(text: string, o: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  const cwd = await mkdtemp(join(folder, "case-"));
  await writeFile(join(cwd, "holdall.yaml"), text);
  return loadConfig({ cwd, env: {}, ...o });
}

async function problemsOf(loading: Promise<unknown>): Promise<readonly string[]> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("without a configuration", () => {
  test("everything has its documented default", async () => {
    const { config } = await loadConfig({ cwd: folder, env: {} });
    assert.equal(config.data, join(folder, "holdall-data"));
    assert.deepEqual(config.listen, { host: "127.0.0.1", port: 8080 });
    assert.deepEqual(config.store, { kind: "file", path: join(folder, "holdall-data", "store") });
    assert.deepEqual(config.limits, {
      jsonBody: 4 * 1024 * 1024,
      batchObjects: 1000,
      headerBytes: 32 * 1024,
      urlBytes: 16 * 1024,
      idleTimeout: 120_000,
      headersTimeout: 30_000,
      keepAliveTimeout: 75_000,
      drainTimeout: 300_000,
    });
    assert.equal(config.actionLifetime, 3_600_000);
    assert.equal(config.secret, undefined);
    assert.equal(config.publicUrl, undefined);
  });
});

describe("precedence", () => {
  test("flags win over variables, variables over the file, the file over defaults", async () => {
    const { config, settings } = await load("workers: 2\nlayout: flat\nlisten: 127.0.0.1:1\n", {
      env: { HOLDALL_WORKERS: "3", HOLDALL_LISTEN: "127.0.0.1:2" },
      flags: { "--listen": "127.0.0.1:3" },
    });
    assert.deepEqual([config.layout, config.workers, config.listen.port], ["flat", 3, 3]);
    const origins = ["layout", "workers", "listen", "data"].map((key) => settings.get(key)?.origin);
    assert.deepEqual(origins, [
      { kind: "file", file: "holdall.yaml", line: 2 },
      { kind: "variable", name: "HOLDALL_WORKERS" },
      { kind: "flag", name: "--listen" },
      { kind: "default" },
    ]);
  });

  test("a value that another source overrules must be right all the same", async () => {
    assert.equal((await problemsOf(load("workers: 0\n", { flags: { "--workers": "2" } }))).length, 1);
  });

  test("an empty variable counts as unset", async () => {
    const { config } = await load("workers: 2\n", { env: { HOLDALL_WORKERS: "", HOLDALL_SECRET: "" } });
    assert.deepEqual([config.workers, config.secret], [2, undefined]);
  });
});

describe("paths", () => {
  test("start at the file in a file, at the working folder elsewhere", async () => {
    const cwd = await mkdtemp(join(folder, "case-"));
    await mkdir(join(cwd, "etc"));
    await writeFile(join(cwd, "etc", "my.yaml"), "data: ../var\n");
    const fromFile = await loadConfig({ cwd, env: {}, file: "etc/my.yaml" });
    assert.equal(fromFile.config.data, join(cwd, "var"));
    const fromFlag = await loadConfig({ cwd, env: {}, file: "etc/my.yaml", flags: { "--data": "here" } });
    assert.equal(fromFlag.config.data, join(cwd, "here"));
    assert.deepEqual(fromFlag.config.store, { kind: "file", path: join(cwd, "here", "store") });
  });
});

describe("a file", () => {
  test("may be empty, and its sections too", async () => {
    assert.equal((await load("")).config.workers, 1);
    assert.equal((await load("# nothing\nlimits:\n  # jsonBody: 1MiB\nlog: {}\n")).config.limits.jsonBody, 4_194_304);
  });

  test("that is named must be there; the default one need not be", async () => {
    const [problem] = await problemsOf(loadConfig({ cwd: folder, env: {}, file: "absent.yaml" }));
    assert.equal(problem, "absent.yaml: cannot be read: there is no such file");
  });

  test("takes numbers, switches and sizes from variables", async () => {
    const text = "workers: ${N}\ncreateRepositories: ${YES:-false}\nlimits: {jsonBody: '${SIZE}'}\n";
    const { config } = await load(text, { env: { N: "4", SIZE: "1MiB" } });
    assert.deepEqual([config.workers, config.createRepositories, config.limits.jsonBody], [4, false, 1_048_576]);
  });

  test("may use anchors", async () => {
    const { config } = await load(
      "log: {level: &l debug}\naccess:\n  - &r {who: users, repositories: a, right: read}\n  - *r\n",
    );
    assert.equal(config.access.length, 2);
  });

  for (const [what, text, expected] of [
    ["an unknown key", "lisen: x", "holdall.yaml:1:1: unknown key lisen; the nearest known key is listen"],
    [
      "a key in the wrong section",
      "workers: 2\ndrainTimeout: 5m",
      "holdall.yaml:2:1: unknown key drainTimeout; the nearest known key is limits.drainTimeout",
    ],
    [
      "an unknown key in a list",
      "access:\n  - {who: users, repos: a, repositories: a, right: read}",
      "holdall.yaml:2:18: unknown key access[0].repos; the nearest known key is access[0].repositories",
    ],
    ["a quoted number", 'workers: "4"', 'holdall.yaml:1:10: workers: must be a whole number from 1 to 64, not "4"'],
    ["a number out of range", "workers: 65", "holdall.yaml:1:10: workers: must be a whole number from 1 to 64, not 65"],
    ["a yes", "createRepositories: yes", 'holdall.yaml:1:21: createRepositories: must be true or false, not "yes"'],
    [
      "a word",
      "layout: fla",
      'holdall.yaml:1:9: layout: must be one of shared, per-repository, flat, sharded, not "fla"',
    ],
    [
      "a duration without a unit",
      "limits:\n  idleTimeout: 30",
      "holdall.yaml:2:16: limits.idleTimeout: must be a duration such as 30s, 5m, 12h or 90d, not 30",
    ],
    [
      "a duration that is too short",
      "limits:\n  keepAliveTimeout: 64s",
      "holdall.yaml:2:21: limits.keepAliveTimeout: must be at least 65s",
    ],
    [
      "a duration longer than timers can wait",
      "limits: {drainTimeout: 25d}",
      "holdall.yaml:1:24: limits.drainTimeout: must be at most 24d",
    ],
    [
      "an action lifetime under an hour",
      "actionLifetime: 59m",
      "holdall.yaml:1:17: actionLifetime: must be at least 1h",
    ],
    ["a key without a value", "workers:", "holdall.yaml:1:9: workers: has no value; give it one, or remove the line"],
    [
      "an empty rule list that was forgotten",
      "access:",
      'holdall.yaml:1:8: access: must be a list: one line for each item, starting with "- "',
    ],
    ["a value instead of a section", "log: debug", "holdall.yaml:1:6: log: must be a map with level, format"],
    [
      "a section instead of a value",
      "workers: {a: 1}",
      "holdall.yaml:1:10: workers: must be a single value, not a list or a map",
    ],
    ["a rule with keys missing", "access:\n  - who: users", "holdall.yaml:2:5: access[0]: lacks repositories, right"],
    [
      "a variable that is unset",
      "data: x\nstore: ${NO}",
      "holdall.yaml:2:8: store: ${NO} is not set in the environment; set it, or write ${NO:-default}",
    ],
    ["a list at the top", "- a", /^holdall\.yaml:1:1: must be a map with data, listen, /],
    ["a key twice", "workers: 1\nworkers: 2", /^holdall\.yaml:2:1: Map keys must be unique$/],
    ["what is no YAML", "a: [", /^holdall\.yaml:1:\d+: /],
    [
      "a bad pattern",
      "access:\n  - {who: users, repositories: /a, right: read}",
      /^holdall\.yaml:2:32: access\[0\]\.repositories: .*pattern/,
    ],
    ["a bad store URL", "store: ftp://a", /^holdall\.yaml:1:8: store: .*store URL/],
  ] as const) {
    test(`${what} is told with its place`, async () => {
      const problems = await problemsOf(load(text));
      assert.equal(problems.length, 1, problems.join("\n"));
      if (typeof expected === "string") assert.equal(problems[0], expected);
      else assert.match(problems[0] ?? "", expected);
    });
  }

  test("has all its problems told at once, with those of other sources", async () => {
    const problems = await problemsOf(
      load("lisen: x\nworkers: 0\nlog: {level: loud}\n", {
        env: { HOLDALL_LAYOUT: "round" },
        flags: { "--workers": "many" },
      }),
    );
    assert.deepEqual(
      problems.map((problem) => problem.replace(/: .*/, "")),
      ["holdall.yaml:1:1", "holdall.yaml:2:10", "holdall.yaml:3:14", "HOLDALL_LAYOUT", "--workers"],
    );
  });
});

describe("secrets", () => {
  test("one that is too short is refused, and never repeated", async () => {
    const problems = await problemsOf(load("secret: hunter2\n", { env: { HOLDALL_SECRET: "hunter2" } }));
    assert.deepEqual(problems, [
      "holdall.yaml:1:9: secret: must be at least 32 characters long",
      "HOLDALL_SECRET: must be at least 32 characters long",
    ]);
  });
});

describe("variables", () => {
  test("one that is unknown is an error that names the nearest", async () => {
    assert.deepEqual(await problemsOf(loadConfig({ cwd: folder, env: { HOLDALL_LIMIT_JSON_BODY: "1" } })), [
      "HOLDALL_LIMIT_JSON_BODY: unknown variable; the nearest known one is HOLDALL_LIMITS_JSON_BODY",
    ]);
  });

  test("those that Kubernetes makes for a service called holdall are passed over", async () => {
    const env = {
      HOLDALL_PORT: "tcp://10.0.0.1:80",
      HOLDALL_PORT_80_TCP: "tcp://10.0.0.1:80",
      HOLDALL_PORT_80_TCP_ADDR: "10.0.0.1",
      HOLDALL_SERVICE_HOST: "10.0.0.1",
      HOLDALL_SERVICE_PORT_HTTP: "80",
      HOLDALL_DB_SERVICE_PORT: "5432",
    };
    assert.deepEqual(await problemsOf(loadConfig({ cwd: folder, env })), []);
  });
});

describe("access", () => {
  const rulesOf = async (text: string): Promise<string[]> =>
    (await load(text)).config.access.map(({ who, repositories, right }) => `${who.kind} ${repositories.text} ${right}`);

  for (const [text, rule] of [
    ["", "anyone ** write"],
    ["listen: '[::1]:0'", "anyone ** write"],
    ["publicUrl: http://localhost:3000", "anyone ** write"],
    ["listen: 0.0.0.0:80", "user ** write"],
    ["listen: example.com:80", "user ** write"],
    // Listening on loopback behind a proxy is not being alone.
    ["publicUrl: https://lfs.example.com", "user ** write"],
    ["trustedProxies: [127.0.0.1]", "user ** write"],
    ["listen: 0.0.0.0:80\nallowAnonymousWrite: true", "anyone ** write"],
  ] as const) {
    test(`${JSON.stringify(text)} without rules means ${rule}`, async () =>
      assert.deepEqual(await rulesOf(text), [rule]));
  }

  test("an empty list stays empty", async () => assert.deepEqual(await rulesOf("access: []"), []));

  for (const exposed of ["listen: 0.0.0.0:80", "publicUrl: https://lfs.example.com", "trustedProxies: [10.0.0.1]"]) {
    test(`a rule that lets anyone write is refused with ${exposed}, unless that is said in words`, async () => {
      const text = `${exposed}\naccess:\n  - {who: anyone, repositories: a, right: write}\n`;
      const problems = await problemsOf(load(text));
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? "", /^holdall\.yaml:3: access: anyone may write, .*allowAnonymousWrite: true$/);
      assert.equal((await load(`${text}allowAnonymousWrite: true\n`)).config.access.length, 1);
    });
  }

  test("a rule that lets anyone read is fine everywhere", async () => {
    const text = "listen: 0.0.0.0:80\naccess:\n  - {who: anyone, repositories: a, right: read}\n";
    assert.deepEqual(await rulesOf(text), ["anyone a read"]);
  });
});

test("a memory store cannot be shared by several workers", async () => {
  const [problem] = await problemsOf(load('store: "memory:"\nworkers: 2\n'));
  assert.equal(
    problem,
    "holdall.yaml:1: store: processes cannot share memory:; set workers to 1, or name a file store",
  );
});

describe("printing", () => {
  const text = `# all kinds
data: "a $\${b} # c"
publicUrl: http://localhost/x/
trustedProxies: []
access:
  - {who: user:bob, repositories: "team/**", right: admin}
secret: ${"s".repeat(32)}
limits: {maxConnections: 7, drainTimeout: 90s}
`;

  test("gives a file that reads as the same configuration, without the secret", async () => {
    const loaded = await load(text, { env: { HOLDALL_LOG_LEVEL: "warn" } });
    const printed = printConfig(loaded);
    assert.ok(!printed.includes("sss"));
    const again = await load(printed.replaceAll("********", "s".repeat(32)));
    assert.deepEqual(again.config, loaded.config);
  });

  test("says of each value where it came from", async () => {
    const printed = printConfig(await load(text, { env: { HOLDALL_LOG_LEVEL: "warn" }, flags: { "--workers": "3" } }));
    for (const line of [
      "workers: 3 # --workers",
      "  level: warn # HOLDALL_LOG_LEVEL",
      "  drainTimeout: 90s # holdall.yaml:8",
      "layout: shared # default",
      "# holdall.yaml:4\ntrustedProxies: []",
    ]) {
      assert.ok(printed.includes(`${line}\n`), `${line}\nin\n${printed}`);
    }
  });
});

test("a rule about transfers says what is otherwise, and leaves out the rest", async () => {
  const { config } = await load(`transferRules:
  - { repositories: "film/**", partSize: 64MiB }
  - { repositories: "web/*", transfer: direct, multipartThreshold: 1GiB }
`);
  const MIB = 1024 ** 2;
  assert.deepEqual(
    config.transferRules.map(({ repositories: { text }, ...rest }) => [text, rest]),
    [
      ["film/**", { partSize: 64 * MIB }],
      ["web/*", { transfer: "direct", multipartThreshold: 1024 * MIB }],
    ],
  );
  assert.deepEqual(await problemsOf(load("transferRules: [{ partSize: 64MiB }]")), [
    "holdall.yaml:1:17: transferRules[0]: lacks repositories",
  ]);
  assert.match(String(await problemsOf(load("transferRules: [{ repositories: a, partSize: 1MiB }]"))), /5MiB/);
});
