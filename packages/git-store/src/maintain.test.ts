import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FaultyLayer, FsStore, MemoryStore, StorageError } from "@holdall/object-store";
import fc from "fast-check";
import { Author, broken, kept, manifestOf } from "../test/author.ts";
import { GitStore } from "./git-store.ts";
import { packKey, VIEW_KEYS } from "./keys.ts";
import { maintain } from "./maintain.ts";
import { collectGarbage, GRACE, type Kept } from "./maintenance.ts";
import { repack } from "./repack.ts";

const later = new Date(Date.now() + GRACE + 3 * 24 * 3_600_000);

async function grown(author: Author, repository: Kept, pushes: number): Promise<string> {
  let tip: string | undefined;
  for (let push = 0; push < pushes; push += 1) {
    const next = author.commit(tip);
    await author.push(repository, { "refs/heads/main": next });
    tip = next.oid;
  }
  return tip ?? assert.fail();
}

test("maintenance merges, removes what nobody needs and refreshes what plain tools read, once", async (t) => {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  await grown(author, repository, 4);
  await repository.store.delete(VIEW_KEYS.infoRefs);
  const first = await maintain(repository);
  assert.deepEqual({ ...first, uploads: 0 }, { before: 4, after: 1, removed: [], uploads: 0, views: ["infoRefs"] });
  const { removed, views } = await maintain(repository, { now: later });
  assert.equal(removed.length, 4);
  assert.deepEqual(views, []);
  const { generation } = await manifestOf(repository);
  await maintain(repository, { now: later });
  assert.equal((await manifestOf(repository)).generation, generation, "there is nothing left to do");
  assert.deepEqual(await broken(repository), []);
});

test("on a disk, too; where there is no repository, none is made", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdall-maintain-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const repository = kept(new FsStore(folder));
  await assert.rejects(maintain(repository), /there is no repository/);
  await grown(await Author.create(t), repository, 3);
  assert.equal((await maintain(repository, { full: true })).after, 1);
  assert.deepEqual(await broken(repository), []);
});

test("in full, a clone after many small pushes is hardly more than a fresh pack", { timeout: 300_000 }, async (t) => {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  const tip = await grown(author, repository, 60);
  await maintain(repository, { full: true });
  const { packs } = await manifestOf(repository);
  const folder = await mkdtemp(join(tmpdir(), "holdall-fresh-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const fresh = (await author.local.makePack(folder, { wants: [tip], haves: [] })) ?? assert.fail();
  assert.equal(packs.length, 1);
  assert.ok((packs[0]?.size ?? 0) <= 1.3 * fresh.size, `${packs[0]?.size} of ${fresh.size} bytes`);
  assert.equal(packs[0]?.objects, fresh.objects);
});

test("in full, what refs have reached within the grace period stays, and what they have not is dropped", async (t) => {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  const [kept1, forced] = [author.commit(), author.commit()];
  await author.push(repository, { "refs/heads/main": forced });
  await author.push(repository, { "refs/heads/main": kept1 });
  const read = async () => (await repository.git.read()) ?? assert.fail();
  const soon = await repack(repository, await read());
  assert.equal(soon?.manifest.packs[0]?.objects, 6);
  const then = await repack(repository, await read(), { at: later });
  assert.equal(then?.manifest.packs[0]?.objects, 3);
  assert.equal(await repack(repository, await read(), { at: later }), undefined, "there is nothing left to do");
  assert.deepEqual(await broken(repository), []);
});

test("who builds on a branch that is deleted and dropped meanwhile has all of it", async (t) => {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  const base = author.commit();
  await author.push(repository, { "refs/heads/main": author.commit(), "refs/heads/base": base });
  await author.push(repository, { "refs/heads/late": author.commit(base.oid) }, async () => {
    const other = kept(repository.store);
    await author.push(other, { "refs/heads/base": undefined });
    await maintain(other, { full: true });
  });
  assert.deepEqual([...(await manifestOf(repository)).refs.keys()].toSorted(), ["refs/heads/late", "refs/heads/main"]);
  assert.deepEqual(await broken(repository), []);
});

test("a pack that maintenance removes while it is about to be named is not named", async (t) => {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  await author.push(repository, { "refs/heads/main": author.commit() });
  const pushing = author.push(repository, { "refs/heads/late": author.commit() }, async () => {
    // By its clock the pack has been there for long, named by nobody.
    assert.equal((await collectGarbage(kept(repository.store), { now: later })).length, 1);
  });
  await assert.rejects(pushing, {
    code: "contended",
    message: /maintenance has just removed what was to be used: try again/,
  });
  assert.deepEqual([...(await manifestOf(repository)).refs.keys()], ["refs/heads/main"]);
  assert.deepEqual(await broken(repository), []);
});

test("of two who remove the same, the slower one leaves alone what somebody has brought anew", async (t) => {
  const [author, store] = [await Author.create(t), new MemoryStore()];
  const repository = kept(store);
  await author.push(repository, { "refs/heads/main": author.commit() });
  const value = author.commit();
  const { packs } = await author.push(repository, { "refs/heads/again": value });
  const name = packs.at(-1)?.name ?? assert.fail();
  // As a push leaves it that was killed before its commit.
  await repository.git.commit(
    {
      log: { what: "push" },
      make: (now = assert.fail()) => {
        const refs = new Map(now.refs);
        refs.delete("refs/heads/again");
        const update = { ref: "refs/heads/again", from: value.oid };
        return { next: { ...now, refs, packs: now.packs.slice(0, -1) }, updates: [update] };
      },
    },
    await repository.git.read(),
  );
  const plain = new GitStore(store);
  const slow = new GitStore(store);
  const reading = slow.read.bind(slow);
  slow.read = async () => {
    // It has condemned the pack, and looks whether it may still remove it.
    if ((await plain.read())?.manifest.deleting.includes(name) === true) {
      await collectGarbage({ git: plain, store }, { now: later });
      await author.push(repository, { "refs/heads/again": value });
    }
    return await reading();
  };
  await collectGarbage({ git: slow, store }, { now: later });
  assert.ok((await store.stat(packKey(name))) !== undefined);
  assert.deepEqual(await broken(repository), []);
});

test(
  "wherever maintenance dies, and whoever pushes meanwhile, nothing that is named is ever missing",
  { timeout: 300_000 },
  async (t) => {
    const author = await Author.create(t);
    const crash = fc.record({ at: fc.nat(12), moment: fc.constantFrom("before" as const, "after" as const) });
    const run = fc.record({ crash, full: fc.boolean(), late: fc.boolean(), pushes: fc.nat(2) });
    await fc.assert(
      fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 4 }), async (runs) => {
        const store = new MemoryStore();
        const repository = kept(store);
        await grown(author, repository, 4);
        const push = async (index: number): Promise<void> => {
          const { refs } = await manifestOf(repository);
          const tip = refs.get("refs/heads/main")?.oid;
          // One goes on, another one begins anew.
          const parent = index % 2 === 0 ? tip : undefined;
          await author.push(repository, {
            [index % 2 === 0 ? "refs/heads/main" : "refs/heads/other"]: author.commit(parent),
          });
        };
        for (const { crash, full, late, pushes } of runs) {
          let writes = 0;
          const dying = new FaultyLayer(store, (call) => {
            if (call !== "put" && call !== "delete") return undefined;
            writes += 1;
            return writes === crash.at ? { call, moment: { at: crash.moment }, error: new Error("killed") } : undefined;
          });
          const maintaining = maintain(kept(dying), { full, now: late ? later : new Date() });
          const [outcome] = await Promise.allSettled([
            maintaining,
            (async () => {
              for (let index = 0; index < pushes; index += 1) await push(index);
            })(),
          ]);
          if (outcome.status === "rejected") assert.match(String(outcome.reason), /killed/);
          assert.deepEqual(await broken(repository), []);
        }
        await maintain(repository, { now: later });
        const { deleting, packs } = await manifestOf(repository);
        assert.deepEqual(deleting, []);
        assert.equal((await Array.fromAsync(store.list("objects/pack/"))).length, 2 * packs.length);
        assert.deepEqual(await broken(repository), []);
      }),
      { numRuns: 12, seed: 20261121 },
    );
  },
);

test("a store that does not let us look for unfinished uploads is no failure; one that cannot be reached is", async (t) => {
  const store = new MemoryStore();
  await grown(await Author.create(t), kept(store), 1);
  const answering = (sweep: () => Promise<number>): Kept => {
    const layer = new FaultyLayer(store, () => undefined);
    layer.sweep = sweep;
    return kept(layer);
  };
  const failing = (code: "denied" | "unavailable"): Kept =>
    answering(() => Promise.reject(new StorageError(code, "said the store")));
  assert.equal((await maintain(answering(async () => 2))).uploads, 2);
  assert.equal((await maintain(failing("denied"))).uploads, undefined);
  await assert.rejects(maintain(failing("unavailable")), /said the store/);
});
