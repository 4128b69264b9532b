import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import promises, { readdir, readFile, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { extname, join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { GitStore } from "@holdall/git-store";
import { FaultyLayer, MemoryStore, parseKey, StorageError, type ObjectStore } from "@holdall/object-store";
import { Person } from "../test/person.ts";
import { runHelper } from "./helper.ts";

/** A repository of so many packs, each of a commit on top of the one before. */
async function packed(t: TestContext, count: number, format?: string) {
  const store = new MemoryStore();
  const ada = await Person.create(t, format);
  const commits: string[] = [];
  for (let n = 0; n < count; n += 1) {
    commits.push(ada.commit(commits.at(-1)));
    await ada.push(store, { main: commits.at(-1) });
  }
  const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
  return { ada, store, commits, tip: commits.at(-1) ?? assert.fail(), packs: manifest.packs.map(({ name }) => name) };
}

/** The same store; says which packs were asked for. */
function watched(store: ObjectStore, on: (pack: string) => void): ObjectStore {
  return new FaultyLayer(store, (call, key) => {
    const name = /^objects\/pack\/(.*)\.pack$/.exec(key)?.[1];
    if (call === "get" && name !== undefined) on(name);
    return undefined;
  });
}

test("what a fetch that breaks off has brought is whole: no pack is there before those that it needs", async (t) => {
  const { store, tip, packs } = await packed(t, 4);
  const ben = await Person.create(t);
  const broken = new FaultyLayer(store, (call, key) =>
    call === "get" && key.endsWith(`${packs[1]}.pack`)
      ? { call, moment: { at: "before" }, error: new StorageError("denied", "no right to it") }
      : undefined,
  );
  await assert.rejects((await ben.repository(broken)).fetch([tip]), /no right to it/);
  assert.deepEqual(await readdir(join(ben.folder, "objects/pack")), [`${packs[0]}.idx`, `${packs[0]}.pack`]);
  assert.equal((await (await ben.repository(store)).fetch([tip])).length, 3, "the others are fetched");
  assert.equal(await ben.local.isComplete([tip]), true);
});

test("a pack that somebody else has brought meanwhile is theirs to hold", async (t) => {
  const { store, tip, packs } = await packed(t, 5);
  const ben = await Person.create(t);
  const last = packs.at(-1) ?? assert.fail();
  const files = await Promise.all(
    [".pack", ".idx"].map(async (ending) => {
      const { body } = await store.get(parseKey(`objects/pack/${last}${ending}`));
      return [ending, Buffer.concat(await Array.fromAsync(body))] as const;
    }),
  );
  const theirs = join(ben.folder, "objects/pack", last);
  const meanwhile = watched(store, (name) => {
    if (name !== packs[0]) return;
    for (const [ending, bytes] of [[".keep", "theirs"], ...files] as const) writeFileSync(theirs + ending, bytes);
  });
  const kept = await (await ben.repository(meanwhile)).fetch([tip]);
  assert.deepEqual([kept.length, kept.includes(`${theirs}.keep`)], [4, false]);
  assert.equal(await readFile(`${theirs}.keep`, "utf8"), "theirs");
});

test("git finds a pack when it is durable and held, and its index last", async (t) => {
  const { store, tip, packs } = await packed(t, 1);
  const ben = await Person.create(t);
  const calls: string[] = [];
  const note = (object: object, method: string, at = 0): void => {
    const original = Reflect.get(object, method) as (...args: unknown[]) => unknown;
    const noted = function (this: unknown, ...args: unknown[]): unknown {
      const path = args[at];
      calls.push(typeof path === "string" ? `${method} ${extname(path)}` : method);
      return original.apply(this, args);
    };
    Object.assign(object, { [method]: noted });
    t.after(() => (Object.assign(object, { [method]: original }), syncBuiltinESMExports()));
  };
  await using file = await promises.open(import.meta.filename);
  note(Object.getPrototypeOf(file) as object, "sync");
  note(promises, "writeFile");
  note(promises, "rename", 1);
  syncBuiltinESMExports();
  const kept = await (await ben.repository(store)).fetch([tip]);
  assert.deepEqual(calls.slice(0, 5), ["sync", "sync", "writeFile .keep", "rename .pack", "rename .idx"]);
  assert.deepEqual(kept, [join(ben.folder, `objects/pack/${packs[0]}.keep`)]);
  assert.deepEqual(await ben.packs(".keep"), [`${packs[0]}.keep`]);
});

test("a pack that cannot take its name leaves nothing that holds off git's maintenance", async (t) => {
  const { store, tip, packs } = await packed(t, 1);
  const ben = await Person.create(t);
  mkdirSync(join(ben.folder, `objects/pack/${packs[0]}.pack`));
  await assert.rejects((await ben.repository(store)).fetch([tip]), { code: "EISDIR" });
  assert.deepEqual(await readdir(join(ben.folder, "objects/pack")), [`${packs[0]}.pack`]);
});

test("packs of objects that are named otherwise do not come into a repository, which could not be read any more", async (t) => {
  for (const [theirs, ours] of [
    ["sha256", "sha1"],
    ["sha1", "sha256"],
  ] as const) {
    const { store, tip } = await packed(t, 1, theirs);
    const ben = await Person.create(t, ours);
    await assert.rejects((await ben.repository(store)).fetch([tip]), {
      code: "refused",
      message: `the remote names its objects by ${theirs}, and this repository by ${ours}: clone it into another one`,
    });
    assert.deepEqual(await readdir(join(ben.folder, "objects/pack")), []);
  }
});

test("where git drops objects, all that is wanted is looked for; where nothing does, only what is wanted itself", async (t) => {
  const { ada, store, tip, packs } = await packed(t, 2);
  for (const [dropsNothing, has, fetched] of [
    [false, true, true],
    [true, true, false],
    [true, false, true],
  ] as const) {
    const ben = await Person.create(t);
    await (await ben.repository(store)).fetch([tip]);
    for (const name of await readdir(join(ben.folder, "objects/pack")))
      await rm(join(ben.folder, "objects/pack", name));
    if (has) ben.run(["hash-object", "-t", "commit", "-w", "--stdin"], `${ada.run(["cat-file", "commit", tip])}\n`);
    const asked: string[] = [];
    const repository = await ben.repository(
      watched(store, (name) => asked.push(name)),
      { dropsNothing },
    );
    await repository.fetch([tip, tip]);
    assert.deepEqual(asked.toSorted(), fetched ? packs.toSorted() : [], `${dropsNothing} ${has}`);
  }
});

test("git is spared its own look only when everything is there, and when it has asked", async (t) => {
  for (const [option, isThere, isSpared] of [
    ["true", true, true],
    ["false", true, false],
    ["true", false, false],
  ] as const) {
    // The helper closes its store.
    const { store, tip } = await packed(t, 1);
    const wanted = isThere ? tip : "1".repeat(40);
    const ben = await Person.create(t);
    const output = new PassThrough();
    const said: string[] = [];
    const lines = [`option check-connectivity ${option}`, "list", `fetch ${wanted} refs/heads/main`, "", ""];
    const code = await runHelper({
      url: "memory",
      store: Promise.resolve(store),
      gitDir: ben.folder,
      cacheFolder: ben.folder,
      input: Readable.from([Buffer.from(lines.map((line) => `${line}\n`).join(""))]),
      output,
      say: (text) => said.push(text),
    });
    assert.equal(code, 0, said.join(""));
    assert.equal((await text(output.end())).includes("\nconnectivity-ok\n"), isSpared, `${option} ${isThere}`);
  }
});
