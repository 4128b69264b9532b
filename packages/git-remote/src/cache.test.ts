import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Cache } from "./cache.ts";

async function made(t: TestContext): Promise<{ root: string; cache: Cache; folder: string }> {
  const root = await mkdtemp(join(tmpdir(), "holdall-cache-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const cache = Cache.at(root, "s3://bucket/a");
  await cache.prepare("sha1");
  return { root, cache, folder: join(cache.objects, "..") };
}

test("a cache is complete when what was to come has come, and not when that ended halfway", async (t) => {
  const { cache } = await made(t);
  assert.equal(await cache.completeFormat(), undefined);
  await cache.complete(async () => undefined);
  assert.equal(await cache.completeFormat(), "sha1");
  await assert.rejects(
    cache.complete(() => Promise.reject(new Error("broken off"))),
    /broken off/,
  );
  assert.equal(await cache.completeFormat(), undefined);
});

test("many packs become one that has all objects, though no ref reaches them", async (t) => {
  const { cache, folder } = await made(t);
  const oids: string[] = [];
  await cache.complete(async () => {
    for (let n = 0; n < 31; n += 1) {
      const run = (args: string[], input: string): string =>
        execFileSync("git", ["--git-dir", folder, ...args], { encoding: "utf8", input }).trim();
      const oid = run(["hash-object", "-w", "--stdin"], `${n}`);
      run(["pack-objects", "-q", join(cache.objects, "pack/pack")], `${oid}\n`);
      oids.push(oid);
    }
    execFileSync("git", ["--git-dir", folder, "prune-packed", "-q"]);
  });
  const packs = (await readdir(join(cache.objects, "pack"))).filter((name) => name.endsWith(".pack"));
  assert.equal(packs.length, 1);
  assert.equal((await cache.git.typesOf(oids)).size, 31);
});

test("what was not used for long goes when another is used, and that one stays", async (t) => {
  const { root, cache, folder } = await made(t);
  const [old, recent] = [join(root, "old"), join(root, "recent")];
  for (const [other, days] of [
    [old, 31],
    [recent, 29],
  ] as const) {
    await mkdir(other);
    const at = new Date(Date.now() - days * 24 * 3_600_000);
    await utimes(other, at, at);
  }
  await utimes(folder, 0, 0);
  await cache.touch();
  assert.deepEqual([existsSync(old), existsSync(recent), existsSync(folder)], [false, true, true]);
});

test("a cache of another format is made anew, and one of the same stays", async (t) => {
  const { root, cache } = await made(t);
  await cache.complete(async () => undefined);
  await cache.prepare("sha1");
  assert.equal(await cache.completeFormat(), "sha1");
  await cache.prepare("sha256");
  const anew = Cache.at(root, "s3://bucket/a");
  assert.equal(await anew.completeFormat(), undefined);
  assert.equal(await anew.git.objectFormat(), "sha256");
});
