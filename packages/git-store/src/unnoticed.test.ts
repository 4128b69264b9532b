import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FaultyLayer, MemoryStore, StorageError, type Fault, type ObjectStore } from "@holdall/object-store";
import { EMPTY, Author, kept, manifestOf } from "../test/author.ts";
import { pointingHead } from "./admin.ts";
import type { Change } from "./change.ts";
import { GitStore } from "./git-store.ts";
import { history } from "./history.ts";
import { indexKey, MANIFEST_KEY, packKey } from "./keys.ts";
import { compact, replaced } from "./maintenance.ts";
import { formatManifest, parseManifest, type Manifest, type PackEntry } from "./manifest.ts";
import { entryOf, Packs } from "./packs.ts";
import { readSmall } from "./small-object.ts";

const lost = (code: "unavailable" | "conflict", o: { uncertain?: boolean; retryable?: boolean } = {}): StorageError =>
  new StorageError(code, "no answer", o);

/** Strikes the calls of one kind, the first so many times. */
function faulty(
  store: ObjectStore,
  wanted: readonly [Fault["call"], (key: string) => boolean],
  faults: Omit<Fault, "call">[],
): ObjectStore {
  return new FaultyLayer(store, (call, key) => {
    if (call !== wanted[0] || !wanted[1](key)) return undefined;
    const fault = faults.shift();
    return fault && { call, ...fault };
  });
}

const name = (digit: string): string => `pack-${digit.repeat(40)}`;
const pack = (digit: string): PackEntry => ({ name: name(digit), size: 1, indexSize: 1, objects: 1, at: new Date(0) });
const state = (o: Partial<Manifest>): Manifest => ({
  ...EMPTY,
  generation: 1,
  transaction: "a".repeat(36),
  parent: undefined,
  at: new Date(),
  ...o,
});

test("packs take the place of those that are all there, one after another, and of no others", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map(pack);
  if (!a || !b || !c || !d) assert.fail();
  const names = [b.name, c.name];
  assert.deepEqual(replaced(state({ packs: [a, b, c] }), names, d)?.next.packs, [a, d]);
  assert.equal(replaced(state({ packs: [a, b] }), names, d), undefined, "one is gone");
  assert.equal(replaced(state({ packs: [a, c] }), names, d), undefined, "the first is gone");
  assert.equal(replaced(state({ packs: [b, a, c] }), names, d), undefined, "another is between them");
  assert.equal(replaced(state({ packs: [a, b, c], deleting: [d.name] }), names, d), undefined, "it is being removed");
  assert.equal(replaced(state({ packs: [a, b] }), [b.name], b), undefined, "nothing would be different");
  const one = replaced(state({ packs: [a, b] }), [a.name, b.name], b)?.next;
  assert.deepEqual([one?.packs, one?.retired.map((gone) => gone.name)], [[b], [a.name]], "one of them has all");
  const next = replaced(state({ packs: [a, b, c], retired: [{ name: d.name, at: new Date() }] }), names, d)?.next;
  assert.deepEqual(
    next?.retired.map((gone) => gone.name),
    names,
    "what is named is not retired",
  );
});

test("packs that need no merging are not fetched", async (t) => {
  const author = await Author.create(t);
  const repository = kept(new MemoryStore());
  await author.push(repository, { "refs/heads/main": author.commit() });
  const now = (await repository.git.read()) ?? assert.fail();
  const none = new FaultyLayer(repository.store, (call, key) => assert.fail(`${call} ${key}`));
  assert.equal(await compact({ store: none, git: repository.git }, now), undefined);
});

test("a pack of which one file did not come through is named by nobody", async (t) => {
  for (const key of [packKey, indexKey]) {
    const author = await Author.create(t);
    const store = new MemoryStore();
    const broken = faulty(
      store,
      ["put", (it) => it.endsWith(key(name("0")).slice(-4))],
      [{ moment: { at: "body", bytes: 3 }, error: new StorageError("denied", "no right to it") }],
    );
    await assert.rejects(author.push(kept(broken), { "refs/heads/main": author.commit() }), /no right to it/);
    assert.equal(await kept(store).git.read(), undefined);
  }
});

async function files(t: TestContext, author: Author) {
  const out = await mkdtemp(join(tmpdir(), "holdall-out-"));
  t.after(() => rm(out, { recursive: true, force: true }));
  return (await author.local.makePack(out, { wants: [author.commit().oid], haves: [] })) ?? assert.fail();
}

test("a pack that is sent and broken off is sent again, and one that is fetched goes on where it broke off", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  const made = await files(t, author);
  const cut = { moment: { at: "body", bytes: 50 }, error: lost("unavailable", { retryable: true }) } as const;
  await new Packs(faulty(store, ["put", (key) => key.endsWith(".pack")], [cut, cut])).put(made);
  const folder = await mkdtemp(join(tmpdir(), "holdall-in-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  let bytes = 0;
  const o = { format: "sha1", keep: "", onBytes: (n: number) => void (bytes += n) } as const;
  const whole = {
    moment: { at: "body", bytes: made.size + 1 },
    error: lost("unavailable", { retryable: true }),
  } as const;
  await new Packs(faulty(store, ["get", (key) => key.endsWith(".pack")], [cut, cut, whole])).fetch(
    entryOf(made),
    folder,
    o,
  );
  assert.equal(bytes, made.size + made.indexSize, "nothing comes twice");
});

test("what is longer, or has more objects, than the manifest says is not what it names", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  const made = await files(t, author);
  await new Packs(store).put(made);
  for (const wrong of [
    { size: made.size - 1 },
    { size: made.size + 1 },
    { indexSize: made.indexSize - 8 },
    { objects: made.objects + 1 },
  ]) {
    const folder = await mkdtemp(join(tmpdir(), "holdall-in-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const entry = { ...entryOf(made), ...wrong };
    await assert.rejects(new Packs(store).fetch(entry, folder, { format: "sha1", keep: "" }), { code: "corrupt" });
    assert.deepEqual(await readdir(folder), []);
  }
});

test("what is refused for its size is given back to the store", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  const made = await files(t, author);
  await new Packs(store).put(made);
  let open = 0;
  const counting = new FaultyLayer(store, () => undefined);
  counting.get = async (key, o) => {
    const object = await store.get(key, o);
    open += 1;
    const inner = object.body[Symbol.asyncIterator]();
    let isOpen = true;
    const close = (): void => {
      if (isOpen) open -= 1;
      isOpen = false;
    };
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const step = await inner.next();
          if (step.done === true) close();
          return step;
        },
        return: async () => {
          close();
          await inner.return?.();
          return { done: true, value: undefined } as const;
        },
      }),
    };
    return { ...object, body };
  };
  const folder = await mkdtemp(join(tmpdir(), "holdall-in-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const entry = { ...entryOf(made), size: made.size + 1 };
  await assert.rejects(new Packs(counting).fetch(entry, folder, { format: "sha1", keep: "" }), { code: "corrupt" });
  assert.equal(open, 0);
});

test("half a pack that is there under the name is replaced by all of it", async (t) => {
  const author = await Author.create(t);
  const store = new MemoryStore();
  const made = await files(t, author);
  await store.put(
    packKey(made.name),
    (async function* () {
      yield Buffer.from("half");
    })(),
    { size: 4 },
  );
  await new Packs(store).put(made);
  assert.equal((await store.stat(packKey(made.name)))?.size, made.size);
});

test("a manifest in another encoding is none", () => {
  const text = formatManifest(state({ refs: new Map([["refs/heads/bx", { oid: "1".repeat(40) }]]) }));
  const bytes = Buffer.from(text);
  bytes[bytes.indexOf("bx") + 1] = 0xe4;
  assert.throws(() => parseManifest(bytes), { code: "corrupt" });
});

test("an object that is larger than any manifest is not read", async () => {
  let returned = false;
  const huge = new FaultyLayer(new MemoryStore(), () => undefined);
  huge.get = async (key) => ({
    key,
    size: 2 ** 40,
    etag: "",
    modifiedAt: new Date(),
    range: { start: 0, length: 2 ** 40 },
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () => assert.fail("nothing is read"),
        return: async () => ((returned = true), { done: true, value: undefined }),
      }),
    },
  });
  await assert.rejects(readSmall(huge, MANIFEST_KEY), { code: "corrupt" });
  assert.ok(returned, "it is given back");
});

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
