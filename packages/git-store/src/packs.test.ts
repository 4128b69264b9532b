import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FaultyLayer, MemoryStore, StorageError, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import type { ObjectFormat } from "@holdall/git-protocol";
import { indexKey, packKey } from "./keys.ts";
import { LocalGit } from "./local-git.ts";
import type { PackEntry } from "./manifest.ts";
import { entryOf, Packs } from "./packs.ts";

const ENV = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
};

/** A repository of the test's own, with some commits. */
class Work {
  readonly folder: string;
  readonly git: LocalGit;

  constructor(folder: string) {
    this.folder = folder;
    this.git = new LocalGit(join(folder, ".git"));
  }

  static async create(t: TestContext, format: ObjectFormat = "sha1"): Promise<Work> {
    const folder = await mkdtemp(join(tmpdir(), "holdall-packs-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const work = new Work(folder);
    work.do("init", "--quiet", "--initial-branch=main", `--object-format=${format}`);
    return work;
  }

  do(...args: string[]): string {
    return execFileSync("git", ["-C", this.folder, ...args], { encoding: "utf8", env: ENV }).trim();
  }

  async commit(name: string): Promise<string> {
    await writeFile(join(this.folder, `${name}.txt`), `${name}\n`.repeat(50));
    this.do("add", ".");
    this.do("commit", "--quiet", "-m", name);
    return this.do("rev-parse", "HEAD");
  }

  async made(name: string): Promise<string> {
    const folder = join(this.folder, ".git", name);
    await mkdir(folder);
    return folder;
  }
}

const one = { keep: "holdall", format: "sha1" } as const;

async function stored(t: TestContext, store: ObjectStore): Promise<{ work: Work; entry: PackEntry; head: string }> {
  const work = await Work.create(t);
  await work.commit("one");
  const head = await work.commit("two");
  const files = (await work.git.makePack(await work.made("out"), { wants: [head], haves: [] })) ?? assert.fail();
  await new Packs(store).put(files);
  return { work, entry: entryOf(files), head };
}

for (const format of ["sha1", "sha256"] as const) {
  test(`${format}: what one repository packs, another has after fetching`, async (t) => {
    const [from, to, store] = [await Work.create(t, format), await Work.create(t, format), new MemoryStore()];
    const packs = new Packs(store);
    const first = await from.commit("one");
    const files = (await from.git.makePack(await from.made("a"), { wants: [first], haves: [] })) ?? assert.fail();
    await packs.put(files);
    const entry = entryOf(files);
    assert.equal(entry.objects, 3);
    const second = await from.commit("two");
    const more = (await from.git.makePack(await from.made("b"), { wants: [second], haves: [first] })) ?? assert.fail();
    assert.equal(more.objects, 3, "only what is new, though a delta could lean on the old");
    await packs.put(more);
    const entries = [entry, entryOf(more)];
    assert.equal(await from.git.makePack(await from.made("c"), { wants: [second], haves: [second] }), undefined);

    assert.equal(await to.git.objectFormat(), format);
    let bytes = 0;
    for (const each of entries) {
      await packs.fetch(each, await to.git.packFolder(), { keep: "by holdall", format, onBytes: (n) => (bytes += n) });
    }
    assert.equal(
      bytes,
      entries.reduce((sum, { size, indexSize }) => sum + size + indexSize, 0),
    );
    to.do("update-ref", "refs/heads/main", second);
    to.do("fsck", "--strict");
    assert.deepEqual(
      await to.git.typesOf([first, second, "0".repeat(first.length)]),
      new Map([
        [first, "commit"],
        [second, "commit"],
      ]),
    );
    assert.equal(await to.git.isAncestor(first, second), true);
    assert.equal(await to.git.isAncestor(second, first), false);
    const names = (await readdir(await to.git.packFolder())).toSorted();
    assert.deepEqual(names, entries.flatMap(({ name }) => [`${name}.idx`, `${name}.keep`, `${name}.pack`]).toSorted());

    const merged =
      (await to.git.mergePacks(
        await to.made("m"),
        entries.map(({ name }) => name),
      )) ?? assert.fail();
    assert.equal(merged.objects, 6);
  });
}

test("a pack that is here already is not fetched, and one that is there not sent", async (t) => {
  const calls: string[] = [];
  const store = new FaultyLayer(new MemoryStore(), (call, key) => {
    calls.push(`${call} ${key.slice(-4)}`);
    return undefined;
  });
  const { work, entry, head } = await stored(t, store);
  assert.deepEqual(calls.toSorted(), ["put .idx", "put pack"]);
  const folder = await work.git.packFolder();
  await new Packs(store).fetch(entry, folder, one);
  calls.length = 0;
  await new Packs(store).fetch(entry, folder, one);
  assert.deepEqual(calls, []);
  const after = Promise.reject(new Error("not the one before"));
  after.catch(() => undefined);
  await assert.rejects(new Packs(store).fetch(entry, folder, { ...one, after }), /not the one before/);
  const again = (await work.git.makePack(await work.made("again"), { wants: [head], haves: [] })) ?? assert.fail();
  await new Packs(store).put(again);
  assert.equal(again.name, entry.name);
  assert.deepEqual(new Set<string>(calls), new Set(["put .idx", "put pack", "stat .idx", "stat pack"]));
});

test("a pack that somebody left there long ago is sent again, for it may be about to be removed", async (t) => {
  const inner = new MemoryStore();
  let age = 0;
  const stat = inner.stat.bind(inner);
  inner.stat = async (key, o) => {
    const found = await stat(key, o);
    return found && { ...found, modifiedAt: new Date(Date.now() - age) };
  };
  const { work, head } = await stored(t, inner);
  const versions = async (): Promise<string[]> =>
    (await Array.fromAsync(inner.list("objects/pack/"))).map(({ etag }) => etag);
  const before = await versions();
  const again = (await work.git.makePack(await work.made("again"), { wants: [head], haves: [] })) ?? assert.fail();
  await new Packs(inner).put(again);
  assert.deepEqual(await versions(), before);
  age = 8 * 24 * 3_600_000;
  await new Packs(inner).put(again);
  assert.notDeepEqual(await versions(), before);
});

/** Stores these bytes in the place of what is there. */
async function replace(store: ObjectStore, key: ObjectKey, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = change(Buffer.concat(await Array.fromAsync((await store.get(key)).body)));
  await store.put(
    key,
    (async function* () {
      yield bytes;
    })(),
    { size: bytes.length },
  );
}

for (const [what, which] of [
  ["pack", packKey],
  ["index", indexKey],
] as const) {
  test(`a ${what} that is damaged, short or gone leaves nothing in the repository`, async (t) => {
    const flip = (bytes: Buffer): Buffer => {
      const at = bytes.length - 30;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    for (const change of [
      flip,
      (bytes: Buffer) => bytes.subarray(1),
      (bytes: Buffer) => Buffer.concat([bytes, bytes]),
    ]) {
      const store = new MemoryStore();
      const { entry } = await stored(t, store);
      await replace(store, which(entry.name), change);
      const to = await Work.create(t);
      const folder = await to.git.packFolder();
      await mkdir(folder, { recursive: true });
      await assert.rejects(new Packs(store).fetch(entry, folder, one), { code: "corrupt" });
      assert.deepEqual(await readdir(folder), []);
    }
    const store = new MemoryStore();
    const { entry } = await stored(t, store);
    await store.delete(which(entry.name));
    const to = await Work.create(t);
    const folder = await to.git.packFolder();
    await assert.rejects(new Packs(store).fetch(entry, folder, one), { code: "not-found" });
    assert.deepEqual(await readdir(folder), []);
  });
}

test("another pack under the name, whole as it is, is no pack of this name", async (t) => {
  const store = new MemoryStore();
  const [mine, other] = [await stored(t, store), await Work.create(t)];
  await other.commit("other");
  const head = await other.commit("second");
  const files = (await other.git.makePack(await other.made("out"), { wants: [head], haves: [] })) ?? assert.fail();
  const [pack, index] = [await readFile(files.pack), await readFile(files.index)];
  await replace(store, packKey(mine.entry.name), () => pack);
  await replace(store, indexKey(mine.entry.name), () => index);
  const entry = { ...mine.entry, size: pack.length, indexSize: index.length, objects: files.objects };
  const to = await Work.create(t);
  await assert.rejects(new Packs(store).fetch(entry, await to.git.packFolder(), one), { code: "corrupt" });
  assert.deepEqual(await readdir(await to.git.packFolder()), []);
});

test("a line that breaks leaves nothing", async (t) => {
  const inner = new MemoryStore();
  const { entry } = await stored(t, inner);
  for (const end of [".pack", ".idx"]) {
    const store = new FaultyLayer(inner, (call, key) =>
      call === "get" && key.endsWith(end)
        ? { call, moment: { at: "body", bytes: 100 }, error: new StorageError("unavailable", "the line broke") }
        : undefined,
    );
    const to = await Work.create(t);
    await assert.rejects(new Packs(store).fetch(entry, await to.git.packFolder(), one), { code: "unavailable" });
    assert.deepEqual(await readdir(await to.git.packFolder()), []);
  }
});

test("git's own words are in the error of a command that fails", async (t) => {
  const { git } = await Work.create(t);
  await assert.rejects(
    git.run(["rev-parse", "--verify", "nothing"]),
    /git rev-parse ended with 128: .*single revision/,
  );
});
