import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemoryStore } from "@holdall/object-store";
import fc from "fast-check";
import { Author, broken, kept, manifestOf } from "../test/author.ts";
import { deletingBranch, pointingHead } from "./admin.ts";
import { history } from "./history.ts";
import { packKey } from "./keys.ts";
import { compact, collectGarbage, GRACE, type Kept } from "./maintenance.ts";
import type { Manifest, RefValue } from "./manifest.ts";
import { repack } from "./repack.ts";
import { applyRestore, planRestore, type RestorePlan } from "./restore.ts";

const DAY = 24 * 3_600_000;
const later = (milliseconds: number): Date => new Date(Date.now() + milliseconds);

type State = { readonly head: string; readonly refs: Readonly<Record<string, RefValue>> };

const stateOf = ({ head, refs }: Pick<Manifest, "head" | "refs">): State => ({ head, refs: Object.fromEntries(refs) });

/** @returns how the objects came to be there */
async function restore(
  repository: Kept,
  generation: number,
  o: { anew?: boolean } = {},
): Promise<RestorePlan["packs"]> {
  const plan = await planRestore(repository, generation, o);
  await applyRestore(repository, plan, { by: "Ada <ada@example.org>" });
  return plan.packs;
}

/** A branch `main` of which a second commit was forced away, and a branch `other` deleted since. */
async function rewritten(t: TestContext): Promise<{ author: Author; repository: Kept; before: Manifest }> {
  const [author, repository] = [await Author.create(t), kept(new MemoryStore())];
  const first = author.commit();
  await author.push(repository, { "refs/heads/main": first });
  const second = author.commit(first.oid);
  const before = await author.push(repository, {
    "refs/heads/main": second,
    "refs/heads/other": author.commit(first.oid),
  });
  await author.push(repository, { "refs/heads/main": author.commit(first.oid), "refs/heads/other": undefined });
  return { author, repository, before };
}

test("refs are what they were, as a new generation; going back is gone back on in the same way", async (t) => {
  const { repository, before } = await rewritten(t);
  const after = await manifestOf(repository);
  assert.equal(await restore(repository, before.generation), "present");
  const restored = await manifestOf(repository);
  assert.deepEqual(stateOf(restored), stateOf(before));
  assert.equal(restored.generation, after.generation + 1);
  assert.deepEqual(await broken(repository), []);
  const [entry] = await Array.fromAsync(history(repository.store, restored));
  assert.deepEqual([entry?.what, entry?.by, entry?.updates.length], ["restore", "Ada <ada@example.org>", 2]);
  await restore(repository, after.generation);
  assert.deepEqual(stateOf(await manifestOf(repository)), stateOf(after));
});

test("what is as it was is left alone, and what never was cannot be had", async (t) => {
  const { repository } = await rewritten(t);
  const { generation } = await manifestOf(repository);
  assert.equal(await applyRestore(repository, await planRestore(repository, generation)), undefined);
  for (const never of [0, generation + 1]) {
    await assert.rejects(
      planRestore(repository, never),
      new RegExp(`no generation ${never}: .* from 1 to ${generation}`),
    );
  }
  assert.equal((await manifestOf(repository)).generation, generation);
});

test("what somebody has pushed since the plan was made is not taken back unseen", async (t) => {
  const { author, repository, before } = await rewritten(t);
  const plan = await planRestore(repository, before.generation);
  const pushed = await author.push(repository, { "refs/heads/new": author.commit() });
  await assert.rejects(applyRestore(repository, plan), { code: "contended" });
  assert.deepEqual(stateOf(await manifestOf(repository)), stateOf(pushed));
});

test("objects that only retired packs have become a pack again, and are gone with them", async (t) => {
  const { author, repository, before } = await rewritten(t);
  // Long after, nobody can be about to build on what was forced away.
  const at = later(GRACE + 2 * DAY);
  await repack(repository, (await repository.git.read()) ?? assert.fail(), { at });
  assert.equal(await restore(repository, before.generation), "again");
  assert.deepEqual(stateOf(await manifestOf(repository)), stateOf(before));
  assert.deepEqual(await broken(repository), []);

  await author.push(repository, { "refs/heads/main": author.commit(), "refs/heads/other": undefined });
  await repack(repository, (await repository.git.read()) ?? assert.fail(), { at });
  await collectGarbage(repository, { now: at });
  const { generation } = await manifestOf(repository);
  const plan = await planRestore(repository, before.generation);
  await assert.rejects(applyRestore(repository, plan), {
    code: "refused",
    message: new RegExp(`generation ${before.generation} cannot be restored, because objects of it are gone`),
  });
  assert.equal((await manifestOf(repository)).generation, generation);
});

test("a pack that is lost is left behind, when what it had is elsewhere too", async (t) => {
  const { author, repository } = await rewritten(t);
  for (let push = 0; push < 3; push += 1) {
    const { oid } = (await manifestOf(repository)).refs.get("refs/heads/main") ?? assert.fail();
    await author.push(repository, { "refs/heads/main": author.commit(oid) });
  }
  const merged = await compact(repository, (await repository.git.read()) ?? assert.fail());
  const lost = merged?.manifest.packs.at(-1) ?? assert.fail();
  await repository.store.delete(packKey(lost.name));
  await assert.rejects(broken(repository), { code: "not-found" });
  const { generation } = await manifestOf(repository);
  assert.equal(await restore(repository, generation), "anew");
  assert.deepEqual(await broken(repository), []);
  const { packs, retired } = await manifestOf(repository);
  assert.equal(packs.length, 1);
  assert.ok(![...packs, ...retired].some(({ name }) => name === lost.name));
});

test("whoever builds on the state that is left while it is left loses nothing by it", async (t) => {
  const { author, repository, before } = await rewritten(t);
  const { oid } = (await manifestOf(repository)).refs.get("refs/heads/main") ?? assert.fail();
  await author.push(repository, { "refs/heads/late": author.commit(oid) }, async () => {
    await restore(kept(repository.store), before.generation, { anew: true });
  });
  assert.ok((await manifestOf(repository)).refs.has("refs/heads/late"));
  assert.deepEqual(await broken(repository), []);
});

test("merging all packs into one stands back from a restoration that came first", async (t) => {
  const { repository, before } = await rewritten(t);
  const now = (await repository.git.read()) ?? assert.fail();
  await restore(repository, before.generation);
  assert.equal(await repack(repository, now, { at: later(GRACE + 2 * DAY) }), undefined);
  assert.deepEqual(await broken(repository), []);
});

const BRANCHES = ["refs/heads/main", "refs/heads/a", "refs/heads/b"];

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("push"), on: fc.nat(2), from: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("tag"), on: fc.nat(1), from: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete"), on: fc.nat(2), from: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("head"), on: fc.nat(2), from: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact"), on: fc.constant(0), from: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("repack"), on: fc.nat(1), from: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restore"), on: fc.nat(99), from: fc.constant(0) }) },
);

test(
  "whatever has happened to refs, each generation can be had again, and is then what it was",
  { timeout: 300_000 },
  async (t) => {
    const author = await Author.create(t);
    const commits = [author.commit()];
    while (commits.length < 10) commits.push(author.commit(commits[Math.floor(commits.length / 2)]?.oid));
    const commit = (index: number): RefValue => commits[index] ?? assert.fail();
    const tags = commits.map(({ oid }) => author.tag(oid));
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 14 }), fc.nat(99), async (actions, which) => {
        const repository = kept(new MemoryStore());
        const states = new Map<number, State>();
        const note = async (): Promise<void> => {
          const manifest = await manifestOf(repository);
          states.set(manifest.generation, stateOf(manifest));
        };
        await author.push(repository, { "refs/heads/main": commit(0) });
        await note();
        for (const { do: what, on, from } of actions) {
          const branch = BRANCHES[on] ?? "refs/heads/main";
          const now = (await repository.git.read()) ?? assert.fail();
          const { head, refs, generation } = now.manifest;
          if (what === "push") await author.push(repository, { [branch]: commit(from) });
          if (what === "tag") await author.push(repository, { [`refs/tags/v${on}`]: tags[from] });
          if (what === "delete" && branch !== head && refs.has(branch)) {
            await repository.git.commit(deletingBranch(branch, refs.get(branch)?.oid ?? "", undefined), now);
          }
          if (what === "head" && refs.has(branch)) await repository.git.commit(pointingHead(branch, undefined), now);
          if (what === "compact") await compact(repository, now);
          if (what === "repack") await repack(repository, now, { at: on === 0 ? new Date() : later(GRACE + 2 * DAY) });
          if (what === "restore") await restore(repository, 1 + (on % generation));
          await note();
        }
        const { generation } = await manifestOf(repository);
        for (const target of [1 + (which % generation), generation]) {
          await restore(repository, target);
          assert.deepEqual(stateOf(await manifestOf(repository)), states.get(target), `generation ${target}`);
          assert.deepEqual(await broken(repository), []);
        }
      }),
      { numRuns: 12, seed: 20261121 },
    );
  },
);
