import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore, StorageError } from "@holdall/object-store";
import { Author, kept, manifestOf, state } from "../test/author.ts";
import { faulty, lost } from "../test/faults.ts";
import { pointingHead } from "./admin.ts";
import type { Change } from "./change.ts";
import { GitStore } from "./git-store.ts";
import { history } from "./history.ts";
import { indexKey, MANIFEST_KEY, packKey } from "./keys.ts";
import { readSmall } from "./small-object.ts";

test("a repository that comes into being has no head that it had before, and a head that stays is not noted", async (t) => {
  const author = await Author.create(t);
  const repository = kept(new MemoryStore());
  await author.push(repository, { "refs/heads/main": author.commit(), "refs/heads/dev": author.commit() });
  await author.push(repository, { "refs/heads/main": author.commit() });
  await repository.git.commit(pointingHead("refs/heads/dev", undefined), await repository.git.read());
  const heads = (await Array.fromAsync(history(repository.store, await manifestOf(repository)))).map(
    ({ head }) => head,
  );
  assert.deepEqual(heads, [{ from: "refs/heads/main", to: "refs/heads/dev" }, undefined, undefined]);
});

test("stores with one of the two conditions only are not written to", async () => {
  for (const lacking of ["putIfAbsent", "compareAndSwap"] as const) {
    const store = new MemoryStore();
    const capabilities = { ...store.capabilities, [lacking]: false };
    const half = new (class extends FaultyLayer {
      override get capabilities() {
        return capabilities;
      }
    })(store, () => undefined);
    await assert.rejects(new GitStore(half).commit({ log: { what: "push" }, make: () => undefined }, undefined), {
      code: "unsupported",
    });
  }
});

const moving = (ref: string): Change => ({
  log: { what: "push" },
  make: (now = state({ generation: 0 })) => ({
    next: { ...now, refs: new Map(now.refs).set(ref, { oid: "1".repeat(40) }) },
    updates: [{ ref, to: "1".repeat(40) }],
  }),
});

test("whoever fails without knowing looks whether it is done, whatever the failure is called", async () => {
  for (const error of [lost("unavailable"), new StorageError("corrupt", "a strange answer", { uncertain: true })]) {
    const store = new MemoryStore();
    const strange = faulty(store, ["put", (key) => key === MANIFEST_KEY], [{ moment: { at: "after" }, error }]);
    const done = await new GitStore(strange).commit(moving("refs/heads/main"), undefined);
    assert.equal(done?.manifest.generation, 1);
  }
});

test("an attempt that was not answered, and comes through when the next one is made, is the one that counts", async () => {
  const store = new MemoryStore();
  await new GitStore(store).commit(moving("refs/heads/first"), undefined);
  let late: (() => Promise<unknown>) | undefined;
  const slow = new FaultyLayer(store, () => undefined);
  slow.put = async (key, body, o) => {
    if (key !== MANIFEST_KEY) return await store.put(key, body, o);
    if (late === undefined) {
      const chunks = await Array.fromAsync(body);
      late = async () =>
        await store.put(
          key,
          (async function* () {
            yield* chunks;
          })(),
          o,
        );
      throw lost("unavailable", { uncertain: true });
    }
    await late().catch(() => undefined);
    return await store.put(key, body, o);
  };
  const git = new GitStore(slow, { pause: () => 0 });
  const done = await git.commit(moving("refs/heads/main"), await git.read());
  const entries = await Array.fromAsync(history(store, done?.manifest ?? assert.fail()));
  assert.equal(entries.length, 2, "it is made once");
});

test("whoever had to try again shows all that has changed, and not only what it has changed itself", async () => {
  const store = new MemoryStore();
  const git = new GitStore(store, { pause: () => 0 });
  await git.commit(moving("refs/heads/main"), undefined);
  const stale = await git.read();
  // Somebody who dies before the views are written.
  const dying = new FaultyLayer(store, (call, key) =>
    call === "put" && !key.startsWith("holdall/")
      ? { call, moment: { at: "before" }, error: new StorageError("denied", "dead") }
      : undefined,
  );
  const dead: Change = {
    log: { what: "head" },
    make: (now) => now && { next: { ...now, head: "refs/heads/other" }, updates: [] },
  };
  await new GitStore(dying).commit(dead, stale);
  await git.commit(moving("refs/heads/second"), stale);
  const head = (await readSmall(store, "HEAD" as typeof MANIFEST_KEY))?.bytes.toString();
  assert.equal(head, "ref: refs/heads/other\n");
});

test("of views that two write at once, those of the later state stay", async () => {
  const store = new MemoryStore();
  const git = new GitStore(store, { pause: () => 0 });
  await git.commit(moving("refs/heads/main"), undefined);
  const stale = await git.read();
  await git.commit(moving("refs/heads/second"), stale);
  // One that has lost a swap stands still before its views; another one changes the repository, and shows that.
  const slow = new FaultyLayer(store, () => undefined);
  let stood = false;
  slow.put = async (key, body, o) => {
    if (key === "info/refs" && !stood) {
      stood = true;
      await git.commit(moving("refs/heads/fourth"), await git.read());
    }
    return await store.put(key, body, o);
  };
  await new GitStore(slow, { pause: () => 0 }).commit(moving("refs/heads/third"), stale);
  const refs = (await readSmall(store, "info/refs" as typeof MANIFEST_KEY))?.bytes.toString() ?? "";
  assert.match(refs, /refs\/heads\/fourth/);
});

test("a push that maintenance has taken a file of its pack from is not committed", async (t) => {
  for (const key of [packKey, indexKey]) {
    const store = new MemoryStore();
    const author = await Author.create(t);
    await author.push(kept(store), { "refs/heads/main": author.commit() });
    const made = author.commit();
    let brought: string | undefined;
    const watched = new FaultyLayer(store, (call, it) => {
      if (call === "put" && it.endsWith(".pack")) brought = it;
      return undefined;
    });
    await assert.rejects(
      author.push(kept(watched), { "refs/heads/own": made }, async () => {
        await store.delete(key((brought ?? assert.fail()).slice("objects/pack/".length, -".pack".length)));
        await author.push(kept(store), { "refs/heads/other": author.commit() });
      }),
      { code: "contended" },
    );
  }
});
