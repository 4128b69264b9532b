import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";
import type { Config } from "./schema.ts";

/** What a configuration by variables alone makes of the cache. */
async function cacheOf(env: Readonly<Record<string, string>>): Promise<Config["cache"]> {
  return (await loadConfig({ cwd: "/nowhere", env })).config.cache;
}

const store = { HOLDALL_STORE: "s3://bucket" };

test("a size turns the cache on, and a path says where", async () => {
  assert.equal(await cacheOf(store), undefined);
  assert.deepEqual(await cacheOf({ ...store, HOLDALL_CACHE_SIZE: "10GiB" }), { size: 10 * 2 ** 30 });
  assert.deepEqual(await cacheOf({ ...store, HOLDALL_CACHE_SIZE: "64MiB", HOLDALL_CACHE_PATH: "cache" }), {
    path: "/nowhere/cache",
    size: 64 * 2 ** 20,
  });
});

for (const [what, env, problem] of [
  [
    "a cache of a local store",
    { HOLDALL_CACHE_SIZE: "1GiB" },
    "HOLDALL_CACHE_SIZE: cache.size: a file store gains nothing by a cache, which is for stores in clouds; remove it",
  ],
  [
    "a cache of a store in memory",
    { HOLDALL_CACHE_SIZE: "1GiB", HOLDALL_STORE: "memory:" },
    "HOLDALL_CACHE_SIZE: cache.size: a memory store gains nothing by a cache, which is for stores in clouds; remove it",
  ],
  [
    "a cache without a size",
    { ...store, HOLDALL_CACHE_PATH: "/srv/cache" },
    "HOLDALL_CACHE_PATH: cache.path: there is no cache without cache.size: set that too",
  ],
  [
    "a cache that is too small to be of use",
    { ...store, HOLDALL_CACHE_SIZE: "1MiB" },
    "HOLDALL_CACHE_SIZE: must be at least 64MiB",
  ],
] as const) {
  test(`${what} is refused`, async () => {
    await assert.rejects(cacheOf(env), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.problems, [problem]);
      return true;
    });
  });
}
