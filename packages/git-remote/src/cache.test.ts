import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { test, type TestContext } from "node:test";
import { putOnPath, setVariable } from "../../../test/support/environment.ts";
import { requireUnprivileged } from "../../../test/support/unprivileged.ts";
import { Cache } from "./cache.ts";

async function made(t: TestContext): Promise<{ root: string; cache: Cache; folder: string }> {
  const root = await mkdtemp(join(tmpdir(), "holdall-cache-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const cache = Cache.at(root, "s3://bucket/a");
  await cache.prepare("sha1");
  return { root, cache, folder: join(cache.objects, "..") };
}

test("many packs become one that has all objects, though no ref reaches them", async (t) => {
  const { cache, folder } = await made(t);
  const oids: string[] = [];
  for (let n = 0; n < 31; n += 1) {
    const run = (args: string[], input: string): string =>
      execFileSync("git", ["--git-dir", folder, ...args], { encoding: "utf8", input }).trim();
    const oid = run(["hash-object", "-w", "--stdin"], `${n}`);
    run(["pack-objects", "-q", join(cache.objects, "pack/pack")], `${oid}\n`);
    oids.push(oid);
  }
  execFileSync("git", ["--git-dir", folder, "prune-packed", "-q"]);
  await cache.tidy();
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

test("a cache of another format is made anew, and so is one that git cannot read; one of the same format stays", async (t) => {
  const { root, cache, folder } = await made(t);
  const mark = join(folder, "mark");
  await writeFile(mark, "");
  await cache.prepare("sha1");
  assert.equal(existsSync(mark), true);
  await cache.prepare("sha256");
  assert.equal(existsSync(mark), false);
  assert.equal(await Cache.at(root, "s3://bucket/a").format(), "sha256");
  await writeFile(join(folder, "HEAD"), "");
  assert.equal(await cache.format(), undefined);
  await cache.prepare("sha256");
  assert.equal(await cache.format(), "sha256");
  assert.deepEqual(await readdir(root), [basename(folder)], "nothing else is left");
});

test("of two who make a cache at once, both have it, and one of it stays, wherever they stand", async (t) => {
  const { root } = await made(t);
  const url = "s3://bucket/b";
  const caches = [Cache.at(root, url), Cache.at(relative(process.cwd(), root), url)];
  await Promise.all(caches.map((cache) => cache.prepare("sha1")));
  for (const cache of caches) assert.deepEqual([await cache.format(), dirname(dirname(cache.objects))], ["sha1", root]);
  assert.equal((await readdir(root)).length, 2);
});

test("a cache is of the format that it is for, whatever the user begins repositories with, and however old git is", async (t) => {
  const { root } = await made(t);
  const git = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
  await putOnPath(t, { git: `case "$*" in *--object-format=*) exit 129;; esac\nexec "${git}" "$@"` });
  setVariable(t, "GIT_DEFAULT_HASH", "sha256");
  const cache = Cache.at(root, "s3://bucket/b");
  await cache.prepare("sha1");
  assert.equal(await cache.format(), "sha1");
  await assert.rejects(Cache.at(root, "s3://bucket/c").prepare("sha256"), { name: "GitError", code: 129 });
});

test("what fetches that were killed have left of packs goes, and what is on its way stays", async (t) => {
  const { cache } = await made(t);
  const [left, coming] = ["tmp_pack_left", "tmp_pack_coming"].map((name) => join(cache.objects, "pack", name));
  if (left === undefined || coming === undefined) assert.fail();
  for (const path of [left, coming]) await writeFile(path, "");
  await utimes(left, 0, 0);
  await cache.tidy();
  assert.deepEqual([existsSync(left), existsSync(coming)], [false, true]);
});

test("an old cache that may not be removed keeps nobody from using another", async (t) => {
  const unprivileged = requireUnprivileged(t);
  if (unprivileged === undefined) return;
  const { root } = await made(t);
  const old = join(root, "old");
  await mkdir(join(old, "objects"), { recursive: true });
  await utimes(old, 0, 0);
  await chmod(old, 0o555);
  const [program, ...args] = unprivileged;
  const use = `import { Cache } from ${JSON.stringify(join(import.meta.dirname, "cache.ts"))};
    await Cache.at(${JSON.stringify(root)}, "s3://bucket/a").touch();`;
  try {
    execFileSync(program, [...args, process.execPath, "--input-type=module", "--eval", use]);
  } finally {
    await chmod(old, 0o755);
  }
  assert.equal(existsSync(join(old, "objects")), true, "or this tests nothing");
});
