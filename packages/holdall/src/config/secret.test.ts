import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";
import type { Config } from "./schema.ts";
import { actionSecret } from "./secret.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdall-secret-"));
});
after(() => rm(folder, { recursive: true }));

async function configIn(data: string, env: NodeJS.ProcessEnv = {}): Promise<Config> {
  return (await loadConfig({ cwd: folder, env, flags: { "--data": data } })).config;
}

/** An error of the configuration, as all the others are. */
function unusable(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ConfigError && error.code === "invalid-config" && message.test(error.message);
}

test("the configured secret is used, and none is kept", async () => {
  const data = await mkdtemp(join(folder, "data-"));
  assert.equal(await actionSecret(await configIn(data, { HOLDALL_SECRET: "x".repeat(40) })), "x".repeat(40));
  assert.deepEqual(await readdir(data), []);
});

test("without one, a random one is kept for its owner only, and stays", async () => {
  const config = await configIn(await mkdtemp(join(folder, "data-")));
  const secret = await actionSecret(config);
  assert.ok(secret.length >= 32);
  assert.equal((await stat(join(config.data, "secret"))).mode & 0o777, 0o600);
  assert.equal(await actionSecret(config), secret);
  assert.notEqual(await actionSecret(await configIn(await mkdtemp(join(folder, "data-")))), secret);
});

test("many that start at once get the same, and leave nothing beside it", async () => {
  const config = await configIn(await mkdtemp(join(folder, "data-")));
  const secrets = await Promise.all(Array.from({ length: 20 }, () => actionSecret(config)));
  assert.equal(new Set(secrets).size, 1);
  assert.deepEqual(await readdir(config.data), ["secret"]);
});

test("a damaged file is refused, not replaced", async () => {
  const config = await configIn(await mkdtemp(join(folder, "data-")));
  await writeFile(join(config.data, "secret"), "short\n");
  await assert.rejects(actionSecret(config), unusable(/secret: is damaged.*remove it/));
  assert.equal(await readFile(join(config.data, "secret"), "utf8"), "short\n");
});

test("what cannot be read, or made, is said with the file and what to do", async () => {
  const config = await configIn(await mkdtemp(join(folder, "data-")));
  await mkdir(join(config.data, "secret"));
  await assert.rejects(actionSecret(config), unusable(/secret: cannot be read \(EISDIR\).*remove it/));
  await assert.rejects(
    actionSecret(await configIn(join(folder, "absent"))),
    unusable(/absent\/secret: cannot be made \(ENOENT\)/),
  );
});
