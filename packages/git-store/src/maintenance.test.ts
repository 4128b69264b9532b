import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FaultyLayer, MemoryStore, type ObjectStore } from "@holdall/object-store";
import { EMPTY } from "../test/author.ts";
import type { Change } from "./change.ts";
import { GitStore } from "./git-store.ts";
import { packKey } from "./keys.ts";
import { LocalGit } from "./local-git.ts";
import { collectGarbage, compact, GRACE, type Kept } from "./maintenance.ts";
import type { Manifest } from "./manifest.ts";
import { entryOf, Packs } from "./packs.ts";

const who = { NAME: "Ada", EMAIL: "ada@example.org" };
const roles = ["AUTHOR", "COMMITTER"].flatMap((role) =>
  Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
);
const ENV = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  ...(Object.fromEntries(roles) as object),
};

/** Somebody who commits and pushes, without a helper in between. */
class Pusher {
  readonly kept: Kept;
  readonly folder: string;
  readonly local: LocalGit;
  #head: string | undefined;
  #count = 0;

  constructor(folder: string, store: ObjectStore) {
    this.folder = folder;
    this.local = new LocalGit(join(folder, ".git"));
    this.kept = { store, git: new GitStore(store, { pause: () => 0 }) };
  }

  static async create(t: TestContext, store: ObjectStore): Promise<Pusher> {
    const folder = await mkdtemp(join(tmpdir(), "holdall-maintenance-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const pusher = new Pusher(folder, store);
    pusher.run("init", "--quiet", "--initial-branch=main");
    return pusher;
  }

  run(...args: string[]): string {
    return execFileSync("git", ["-C", this.folder, ...args], { encoding: "utf8", env: ENV }).trim();
  }

  async push(): Promise<void> {
    const { git, store } = this.kept;
    this.#count += 1;
    await writeFile(join(this.folder, `${this.#count}.txt`), `${this.#count}\n`);
    this.run("add", ".");
    this.run("commit", "--quiet", "-m", `${this.#count}`);
    const to = this.run("rev-parse", "HEAD");
    const out = join(this.folder, ".git", `out${this.#count}`);
    await mkdir(out);
    const haves = this.#head === undefined ? [] : [this.#head];
    const files = (await this.local.makePack(out, { wants: [to], haves })) ?? assert.fail();
    const change: Change = {
      log: { what: "push" },
      make: (now: Manifest = { ...EMPTY, generation: 0, transaction: "", parent: undefined, at: new Date() }) => ({
        next: {
          ...now,
          refs: new Map(now.refs).set("refs/heads/main", { oid: to }),
          packs: [...now.packs, entryOf(files)],
        },
        updates: [{ ref: "refs/heads/main", to }],
      }),
    };
    await git.commit(change, await git.read(), async () => await new Packs(store).put(files));
    this.#head = to;
  }

  async manifest(): Promise<Manifest> {
    return ((await this.kept.git.read()) ?? assert.fail()).manifest;
  }

  /** Everything that the manifest names, in a repository that git finds in order. */
  async check(): Promise<void> {
    const { objectFormat: format, packs, refs } = await this.manifest();
    const bare = await mkdtemp(join(this.folder, ".git", "check-"));
    const local = new LocalGit(bare);
    await local.run(["init", "--quiet", "--bare", bare]);
    for (const pack of packs)
      await new Packs(this.kept.store).fetch(pack, await local.packFolder(), { format, keep: "" });
    for (const [ref, { oid }] of refs) await local.run(["update-ref", ref, oid]);
    await local.run(["fsck", "--strict"]);
  }
}

async function packsIn(store: ObjectStore): Promise<number> {
  return (await Array.fromAsync(store.list("objects/pack/"))).length / 2;
}

const later = new Date(Date.now() + GRACE + 2 * 24 * 3_600_000);

test("after many small pushes there are few packs, and nothing is lost", async (t) => {
  const pusher = await Pusher.create(t, new MemoryStore());
  for (let push = 0; push < 40; push += 1) {
    await pusher.push();
    const now = (await pusher.kept.git.read()) ?? assert.fail();
    await compact(pusher.kept, now, { most: 1024 ** 2 });
    assert.ok((await pusher.manifest()).packs.length <= 2 + Math.log2(3 * (push + 1)));
  }
  await pusher.check();
  assert.deepEqual((await pusher.manifest()).retired, [], "packs of today are replaced without a note");
  assert.equal(await compact(pusher.kept, (await pusher.kept.git.read()) ?? assert.fail()), undefined);
});

test("more than may be merged here is left to others", async (t) => {
  const pusher = await Pusher.create(t, new MemoryStore());
  for (let push = 0; push < 3; push += 1) await pusher.push();
  const now = (await pusher.kept.git.read()) ?? assert.fail();
  assert.equal(await compact(pusher.kept, now, { most: 10 }), undefined);
  assert.equal((await pusher.manifest()).packs.length, 3);
});

test("packs that are pushed while others are merged stay, and of two who merge one does", async (t) => {
  const pusher = await Pusher.create(t, new MemoryStore());
  for (let push = 0; push < 3; push += 1) await pusher.push();
  const now = (await pusher.kept.git.read()) ?? assert.fail();
  await pusher.push();
  const done = await compact(pusher.kept, now);
  assert.equal(done?.manifest.packs.length, 2);
  assert.equal(await compact(pusher.kept, now), undefined, "they are not there any more");
  await pusher.check();
});

test("what was replaced stays for the grace period and then goes; what is named never does", async (t) => {
  const store = new MemoryStore();
  const pusher = await Pusher.create(t, store);
  for (let push = 0; push < 4; push += 1) await pusher.push();
  await compact(pusher.kept, (await pusher.kept.git.read()) ?? assert.fail());
  assert.equal(await packsIn(store), 5);
  assert.deepEqual(await collectGarbage(pusher.kept), []);
  assert.equal(await packsIn(store), 5);
  assert.equal((await collectGarbage(pusher.kept, { now: later })).length, 4);
  assert.equal(await packsIn(store), 1);
  const { retired, deleting } = await pusher.manifest();
  assert.deepEqual([retired, deleting], [[], []]);
  await pusher.check();
  assert.deepEqual(await collectGarbage(pusher.kept, { now: later }), []);
});

test("a pack that was old when it was replaced stays for a grace period from then", async (t) => {
  const store = new MemoryStore();
  const pusher = await Pusher.create(t, store);
  for (let push = 0; push < 2; push += 1) await pusher.push();
  const day = 24 * 3_600_000;
  const replacedAt = Date.now() + GRACE + 10 * day;
  t.mock.timers.enable({ apis: ["Date"], now: replacedAt });
  await compact(pusher.kept, (await pusher.kept.git.read()) ?? assert.fail());
  t.mock.timers.reset();
  assert.equal((await pusher.manifest()).retired.length, 2);
  assert.deepEqual(await collectGarbage(pusher.kept, { now: new Date(replacedAt + GRACE - day) }), []);
  assert.equal((await collectGarbage(pusher.kept, { now: new Date(replacedAt + GRACE + day) })).length, 2);
  await pusher.check();
});

test("what a crashed push left goes when it is old, and nothing that is no pack", async (t) => {
  const store = new MemoryStore();
  const pusher = await Pusher.create(t, store);
  await pusher.push();
  const orphan = packKey(`pack-${"a".repeat(40)}`);
  const foreign = packKey("pack-somebody-elses");
  for (const key of [orphan, foreign]) await store.put(key, (async function* () {})(), { size: 0 });
  assert.deepEqual(await collectGarbage(pusher.kept), []);
  assert.deepEqual(await collectGarbage(pusher.kept, { now: later }), [`pack-${"a".repeat(40)}`]);
  assert.ok((await store.stat(foreign)) !== undefined);
  await pusher.check();
});

test("maintenance that was killed goes on where it was", async (t) => {
  const store = new MemoryStore();
  const pusher = await Pusher.create(t, store);
  for (let push = 0; push < 4; push += 1) await pusher.push();
  await compact(pusher.kept, (await pusher.kept.git.read()) ?? assert.fail());
  let deletions = 0;
  const dying = new FaultyLayer(store, (call) => {
    if (call !== "delete") return undefined;
    deletions += 1;
    return deletions === 3 ? { call, moment: { at: "before" }, error: new Error("killed") } : undefined;
  });
  await assert.rejects(collectGarbage({ git: pusher.kept.git, store: dying }, { now: later }), /killed/);
  assert.equal((await pusher.manifest()).deleting.length, 4);
  await pusher.check();
  assert.equal((await collectGarbage(pusher.kept)).length, 4, "whatever the time is now");
  assert.equal(await packsIn(store), 1);
  assert.deepEqual((await pusher.manifest()).deleting, []);
});
