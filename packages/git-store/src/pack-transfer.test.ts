import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FaultyLayer, MemoryStore, StorageError } from "@holdall/object-store";
import { Author, kept } from "../test/author.ts";
import { faulty, lost } from "../test/faults.ts";
import { indexKey, packKey } from "./keys.ts";
import { entryOf, Packs } from "./packs.ts";

test("a pack of which one file did not come through is named by nobody", async (t) => {
  for (const key of [packKey, indexKey]) {
    const author = await Author.create(t);
    const store = new MemoryStore();
    const broken = faulty(
      store,
      ["put", (it) => it.endsWith(key(`pack-${"0".repeat(40)}`).slice(-4))],
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
