import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, parseKey, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import { Author, broken, kept, manifestOf } from "../test/author.ts";
import { pointingHead } from "./admin.ts";
import type { Change } from "./change.ts";
import { GitStore } from "./git-store.ts";
import { history } from "./history.ts";
import { MANIFEST_KEY } from "./keys.ts";
import { collectGarbage, GRACE } from "./maintenance.ts";
import { parseManifest, formatManifest, type Manifest } from "./manifest.ts";
import { repack } from "./repack.ts";
import { applyRestore, planRestore } from "./restore.ts";

const later = new Date(Date.now() + GRACE + 2 * 24 * 3_600_000);

async function textOf(store: ObjectStore, key: string): Promise<string> {
  return Buffer.concat(await Array.fromAsync((await store.get(parseKey(key))).body)).toString();
}

test("all packs made anew by a restoration have what somebody who pushes at this moment builds on", async (t) => {
  const repository = kept(new MemoryStore());
  const author = await Author.create(t);
  const base = author.commit();
  await author.push(repository, { "refs/heads/main": base });
  const side = author.commit(base.oid);
  await author.push(repository, { "refs/heads/side": side });
  const own = author.commit(side.oid);
  // Has seen `side`, and is slow.
  await author.push(repository, { "refs/heads/own": own }, async () => {
    await author.push(repository, { "refs/heads/side": undefined });
    await applyRestore(repository, await planRestore(repository, 1, { anew: true }));
  });
  assert.deepEqual(await broken(repository), []);
});

test("whoever stood still after a change leaves no view behind that is older than the repository", async (t) => {
  const store = new MemoryStore();
  const author = await Author.create(t);
  const base = author.commit();
  await author.push(kept(store), { "refs/heads/main": base, "refs/heads/dev": base });
  let stood = false;
  class Standing extends FaultyLayer {
    override async put(...[key, body, o]: Parameters<ObjectStore["put"]>) {
      if (!stood && key === parseKey("HEAD")) {
        stood = true;
        const { git } = kept(store);
        await git.commit(pointingHead("refs/heads/main", undefined), await git.read());
      }
      return await super.put(key, body, o);
    }
  }
  const slow = new GitStore(new Standing(store, () => undefined), { aloneFor: 0 });
  await slow.commit(pointingHead("refs/heads/dev", undefined), await slow.read());
  await author.push(kept(store), { "refs/heads/dev": author.commit(base.oid) });
  const { head } = await manifestOf(kept(store));
  assert.equal(await textOf(store, "HEAD"), `ref: ${head}\n`);
});

test("a manifest that nobody could read is not written", async () => {
  const store = new MemoryStore();
  const git = new GitStore(store);
  const oid = "1".repeat(40);
  const first: Change = {
    log: { what: "push" },
    make: () => ({
      next: {
        objectFormat: "sha1",
        head: "refs/heads/main",
        refs: new Map([["refs/heads/main", { oid }]]),
        packs: [],
        retired: [],
        deleting: [],
        rules: [],
      },
      updates: [],
    }),
  };
  const before = await git.commit(first, undefined);
  const refs = new Map<string, { oid: string }>();
  for (let n = 0; n < 900_000; n += 1) refs.set(`refs/merge-requests/${n}/head`, { oid });
  const many: Change = { log: { what: "push" }, make: (now) => now && { next: { ...now, refs }, updates: [] } };
  await git.commit(many, before).catch(() => undefined);
  await git.read();
});

test("a log that names a change before the first one ends the looking", async (t) => {
  const store = new MemoryStore();
  const author = await Author.create(t);
  const manifest = await author.push(kept(store), { "refs/heads/main": author.commit() });
  const [entry = assert.fail()] = manifest.log;
  const log = [{ ...entry, parent: "a".repeat(36) }];
  await assert.rejects(Array.fromAsync(history(store, { ...manifest, log })), /no entry of generation 0/);
});

test("one pack of all has what was deleted an hour ago, though somebody's clock stands at 1970", async (t) => {
  // The store has a clock of its own.
  class RightClock extends FaultyLayer {
    override async stat(key: ObjectKey) {
      const stat = await super.stat(key);
      return stat && { ...stat, modifiedAt: new Date(performance.timeOrigin + performance.now()) };
    }
  }
  const repository = kept(new RightClock(new MemoryStore(), () => undefined));
  const author = await Author.create(t);
  const base = author.commit();
  await author.push(repository, { "refs/heads/main": base });
  const side = author.commit(base.oid);
  await author.push(repository, { "refs/heads/side": side });
  const own = author.commit(side.oid);
  await author.push(repository, { "refs/heads/own": own }, async () => {
    await author.push(repository, { "refs/heads/side": undefined });
    t.mock.timers.enable({ apis: ["Date"], now: 0 });
    await author.push(repository, { "refs/heads/other": author.commit(base.oid) });
    t.mock.timers.reset();
    await repack(repository, (await repository.git.read()) ?? assert.fail());
  });
  assert.deepEqual(await broken(repository), []);
});

test("a pack that is named is not removed, whatever else is said of it", async (t) => {
  const store = new MemoryStore();
  const repository = kept(store);
  const author = await Author.create(t);
  const now = await author.push(repository, { "refs/heads/main": author.commit() });
  const wrong: Manifest = { ...now, deleting: now.packs.map(({ name }) => name) };
  const bytes = formatManifest(wrong);
  parseManifest(bytes);
  await store.put(
    MANIFEST_KEY,
    (async function* () {
      yield bytes;
    })(),
    { size: bytes.length },
  );
  await collectGarbage(repository, { now: later });
  assert.deepEqual(await broken(repository), []);
});
