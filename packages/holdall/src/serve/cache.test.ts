import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { MemoryStore, parseKey } from "@holdall/object-store";
import { loadConfig, type Config } from "../config/index.ts";
import { createLogger } from "../log.ts";
import { openCache, type Cache } from "./cache.ts";

const HOUR = 3_600_000;
const KEY = parseKey("one");

interface Opened {
  readonly cache: Cache;
  readonly read: () => Promise<unknown>;
  readonly lines: () => Record<string, unknown>[];
}

/** A cache of a store with one object, with its data in that folder. */
async function opened(data: string, more: Readonly<Record<string, unknown>> = {}): Promise<Opened> {
  const store = new MemoryStore();
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("some bytes");
  };
  await store.put(KEY, body(), { size: 10 });
  const log = new PassThrough();
  const logger = createLogger({ level: "info", format: "json" }, log);
  const cache = openCache(store, await configOf(data, more), logger);
  assert.ok(cache !== undefined);
  return {
    cache,
    read: async () => Array.fromAsync((await cache.store.get(KEY, { immutable: true })).body),
    lines: () =>
      String(log.read() ?? "")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

async function configOf(data: string, more: Readonly<Record<string, unknown>>): Promise<Config> {
  // JSON is YAML.
  const text = JSON.stringify({ data, store: "s3://bucket", cache: { size: "64MiB" }, ...more });
  await writeFile(join(data, "holdall.yaml"), text);
  return (await loadConfig({ cwd: data, env: {} })).config;
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "holdall-cache-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test("the counts of a cache that is used are told every hour and at the end", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { cache, read, lines } = await opened(await folder(t));
  t.mock.timers.tick(HOUR);
  assert.deepEqual(lines(), [], "it was not used");
  await read();
  t.mock.timers.tick(HOUR);
  await read();
  cache[Symbol.dispose]();
  t.mock.timers.tick(HOUR);
  await cache.store.close();
  assert.deepEqual(
    lines().map(({ msg, misses, hits }) => [msg, misses, hits]),
    [
      ["the cache so far", 1, 0],
      ["the cache so far", 1, 1],
    ],
  );
});

test("entries belong to a store, and to the keys that it is encrypted under", async (t) => {
  const data = await folder(t);
  const hits = async (more: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const { cache, read, lines } = await opened(data, more);
    await read();
    cache[Symbol.dispose]();
    await cache.store.close();
    return lines()[0]?.["hits"];
  };
  const keys = ["a", "b"].map((id) => ({ id, key: "5".repeat(64) }));
  const encrypted = { encryption: { current: "a", keys } };
  for (const [more, expected] of [
    [{}, 0],
    [{}, 1],
    [{ store: "s3://other" }, 0],
    [encrypted, 0],
    [{ encryption: { current: "b", keys: keys.toReversed() } }, 1],
    [{ encryption: { current: "a", keys: keys.slice(0, 1) } }, 0],
    [{}, 1],
  ] as const) {
    assert.equal(await hits(more), expected, JSON.stringify(more));
  }
});

test("a cache that cannot be made is told of, and reads are answered", async (t) => {
  const data = await folder(t);
  await writeFile(join(data, "cache"), "");
  const { cache, read, lines } = await opened(data);
  await read();
  await read();
  const [line, ...others] = lines();
  assert.equal(line?.["msg"], "the cache's disk fails: reads go to the store");
  assert.equal(line["level"], "warn");
  assert.equal(line["path"], join(data, "cache"));
  assert.deepEqual(others, []);
  cache[Symbol.dispose]();
  await cache.store.close();
});
