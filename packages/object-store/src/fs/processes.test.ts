import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Child } from "../../test/child.ts";
import { temporaryFiles, temporaryFolder } from "../../test/folder.ts";
import { bytesOf, getBytes, key, listKeys, putBytes, readBody } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { FsStore } from "./store.ts";

test("kill -9 loses nothing that was acknowledged, shows nothing that is not whole, and the sweep leaves no trace", async (t) => {
  const root = await temporaryFolder(t);
  for (const acknowledgements of [1, 40, 90]) {
    const child = new Child(t, "put-many", root, String(acknowledgements));
    const acknowledged: string[] = [];
    let begun = false;
    while (!begun || acknowledged.length < acknowledgements) {
      const { value, done } = await child.lines.next();
      assert.ok(done !== true, "the child lives");
      if (value === "begun") begun = true;
      else acknowledged.push(value);
    }
    await child.kill();
    for (let line = await child.lines.next(); line.done !== true; line = await child.lines.next()) {
      acknowledged.push(line.value);
    }

    const store = new FsStore(root);
    assert.ok((await temporaryFiles(root)).length > 0, "something was under way");
    assert.ok((await store.sweep()) > 0);
    assert.deepEqual(await readdir(join(root, ".holdall/tmp")), []);
    const visible = await listKeys(store);
    for (const name of visible) {
      const sha256 = createHash("sha256").update(await getBytes(store, parseKey(name)));
      assert.equal(sha256.digest("hex"), name.split("/").at(-1));
    }
    for (const name of acknowledged) assert.ok(visible.includes(name), `${name} was acknowledged`);
    await store.close();
  }
});

test("a sweep leaves what a living process has under way, and takes it once that is dead", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  const living = new Child(t, "put-slowly", root);
  const dying = new Child(t, "put-slowly", root);
  assert.equal((await living.lines.next()).value, "begun");
  assert.equal((await dying.lines.next()).value, "begun");
  // For each owner a folder and a lock, and no traces of how the lock is made.
  for (const name of await readdir(join(root, ".holdall/tmp"))) assert.match(name, /^[0-9a-f]{16}(\.lock)?$/);
  assert.equal(await store.sweep(), 0);
  await dying.kill();
  assert.equal(await store.sweep(), 1);
  living.go();
  assert.equal((await living.lines.next()).value, "stored");
  await living.end();
  const stored = await readBody((await store.get(parseKey("slow"))).body);
  assert.ok(stored.equals(Buffer.concat([Buffer.alloc(5_000_000, "a"), Buffer.alloc(5_000_000, "b")])));
  assert.equal(await store.sweep(), 0);
  assert.deepEqual(await readdir(join(root, ".holdall/tmp")), []);
});

test("many sweeps and first puts at once do not disturb each other", async (t) => {
  const root = await temporaryFolder(t);
  for (let round = 0; round < 20; round++) {
    const stores = Array.from({ length: 6 }, () => new FsStore(root));
    const puts = stores.map((store, i) => putBytes(store, parseKey(`${round}/${i}`), bytesOf(i, 5000)));
    await Promise.all([...puts, ...stores.map((store) => store.sweep())]);
    await Promise.all(stores.map((store) => store.close()));
  }
  assert.equal((await listKeys(new FsStore(root))).length, 120);
  assert.deepEqual(await readdir(join(root, ".holdall/tmp")), []);
});

test("two processes that count in one object by compare-and-swap lose no update", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  const counter = parseKey("counter");
  await putBytes(store, counter, Buffer.from("0"));
  const children = [new Child(t, "count-up", root, "60"), new Child(t, "count-up", root, "60")];
  await Promise.all(children.map((child) => child.end()));
  assert.equal((await getBytes(store, counter)).toString(), "120");
  await store.close();
});

test("of two processes that create an object at once exactly one does, and it has that one's bytes", async (t) => {
  const root = await temporaryFolder(t);
  const COUNT = 100;
  const letters = ["a", "b"];
  const children = letters.map((letter) => new Child(t, "create-many", root, letter, String(COUNT)));
  for (const child of children) assert.equal((await child.lines.next()).value, "begun");
  for (const child of children) child.go();
  const created = await Promise.all(
    children.map(({ lines }) => Array.fromAsync({ [Symbol.asyncIterator]: () => lines })),
  );
  for (const child of children) await child.end();

  assert.deepEqual(created.flat().sort(), Array.from({ length: COUNT }, (_, n) => `contested/${n}`).sort());
  const store = new FsStore(root);
  for (const [index, names] of created.entries()) {
    const whole = Buffer.alloc(100_000, letters[index]);
    for (const name of names) assert.ok((await getBytes(store, parseKey(name))).equals(whole), name);
  }
  assert.deepEqual(await temporaryFiles(root), []);
  await store.close();
});

test("a process that is killed while it replaces objects holds nobody up", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, parseKey("counter"), Buffer.from("0"));
  for (let round = 0; round < 5; round++) {
    const child = new Child(t, "count-up", root, "1000000");
    const before = await store.stat(parseKey("counter"));
    while ((await store.stat(parseKey("counter")))?.etag === before?.etag);
    await child.kill();
    await putBytes(store, key, bytesOf(1, 10));
  }
  assert.match((await getBytes(store, parseKey("counter"))).toString(), /^\d+$/);
  await store.close();
});
