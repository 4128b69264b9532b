import assert from "node:assert/strict";
import { mkdir, open, readdir, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFiles, temporaryFolder } from "../../test/folder.ts";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  begin,
  being,
  bodyOf,
  bytesOf,
  failingBody,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  TestBody,
  withCode,
} from "../contract/contract-test.ts";
import { VerifyLayer } from "../layers/verify.ts";
import { parseKey } from "../key.ts";
import { etagOf, nextTimestamp } from "./file-stat.ts";
import { ProcessLock } from "./process-lock.ts";
import { FsStore } from "./store.ts";

test("an object is a plain file at the path that its key spells", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, parseKey("objects/ab/cd/abcd"), bytesOf(1, 1000));
  const file = await open(join(root, "objects/ab/cd/abcd"));
  assertBytes(await file.readFile(), bytesOf(1, 1000));
  assert.equal((await file.stat()).nlink, 1);
  await file.close();
  await store.close();
});

test("a copy that is to create is another name of the same file, and neither knows of the other", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  const copy = parseKey("copies/one");
  const { etag } = await putBytes(store, key, bytesOf(1, 1000));
  await store.copy(key, copy, { fromEtag: etag, ifAbsent: true });
  assert.equal((await stat(join(root, key))).ino, (await stat(join(root, copy))).ino);
  await assert.rejects(store.copy(key, copy, { ifAbsent: true }), withCode("conflict"));
  await assert.rejects(store.copy(parseKey("none"), parseKey("new"), { ifAbsent: true }), withCode("not-found"));
  await assert.rejects(store.copy(key, parseKey("new"), { fromEtag: "another", ifAbsent: true }), withCode("conflict"));
  await assertAbsent(store, parseKey("new"));
  assert.deepEqual(await temporaryFiles(root), []);

  const other = await putBytes(store, parseKey("other"), bytesOf(2, 1000));
  await store.copy(parseKey("other"), copy, { fromEtag: other.etag });
  assertBytes(await getBytes(store, key), bytesOf(1, 1000));
  assertBytes(await getBytes(store, copy), bytesOf(2, 1000));
  await store.copy(key, parseKey("new"), { ifAbsent: true });
  await putBytes(store, key, bytesOf(3, 1000));
  assertBytes(await getBytes(store, parseKey("new")), bytesOf(1, 1000));
  await store.close();
});

test("no temporary file is left after a put, however it ends", async (t) => {
  const root = await temporaryFolder(t);
  const store = new VerifyLayer(new FsStore(root));
  const error = new Error("the body's own");
  const sha256 = "0".repeat(64);
  const none = async (): Promise<void> => assert.deepEqual(await temporaryFiles(root), []);

  const { etag } = await putBytes(store, key, bytesOf(1, 5 * MiB));
  await none();
  await putBytes(store, key, bytesOf(1, 5 * MiB), { ifMatch: etag });
  await none();
  await putBytes(store, parseKey("created"), bytesOf(1, 10), { ifAbsent: true });
  await none();
  await assert.rejects(store.put(key, failingBody(bytesOf(1, 5 * MiB), error), { size: 9 * MiB }), being(error));
  await none();
  await assert.rejects(store.put(key, bodyOf(bytesOf(1, 10)), { size: 9 * MiB }), withCode("invalid"));
  await none();
  await assert.rejects(store.put(key, bodyOf(bytesOf(1, 9 * MiB)), { size: 10 }), withCode("invalid"));
  await none();
  await assert.rejects(putBytes(store, key, bytesOf(1, 10), { sha256 }), withCode("corrupt"));
  await none();
  await assert.rejects(putBytes(store, key, bytesOf(1, 10), { ifMatch: etag }), withCode("conflict"));
  await none();
  await assert.rejects(putBytes(store, key, bytesOf(1, 10), { ifAbsent: true }), withCode("conflict"));
  await none();
  await assert.rejects(putBytes(store, parseKey("created/below"), bytesOf(1, 10)), withCode("invalid"));
  await none();
  const racing = Array.from({ length: 8 }, () => putBytes(store, parseKey("race"), bytesOf(1, 10), { ifAbsent: true }));
  await Promise.allSettled(racing);
  await none();
  await store.close();
  assert.deepEqual(await readdir(join(root, ".holdall/tmp")), []);
});

test("a store that is only read from makes nothing", async (t) => {
  const root = join(await temporaryFolder(t), "not/there");
  const store = new FsStore(root);
  await assertAbsent(store, key);
  await store.delete(key);
  assert.equal(await store.sweep(), 0);
  await store.close();
  await assert.rejects(readdir(root), { code: "ENOENT" });
});

test("folders that were removed behind the store's back are made again", async (t) => {
  const root = join(await temporaryFolder(t), "deep/root");
  const store = new FsStore(root);
  for (const removed of [
    join(root, "objects"),
    join(root, ".holdall"),
    join(root, ".holdall/tmp"),
    root,
    join(root, ".."),
  ]) {
    const { etag } = await putBytes(store, key, bytesOf(1, 1000));
    await putBytes(store, key, bytesOf(2, 1000), { ifMatch: etag });
    await rm(removed, { recursive: true });
    await Promise.all(
      [1, 2, 3, 4].map((i) => putBytes(store, parseKey(`objects/${i}`), bytesOf(i, 1000), { ifAbsent: i % 2 === 0 })),
    );
    assertBytes(await getBytes(store, parseKey("objects/3")), bytesOf(3, 1000));
    for (const i of [1, 2, 3, 4]) await store.delete(parseKey(`objects/${i}`));
    assert.equal(await store.sweep(), 0);
  }
  await store.close();
});

test("a file that is cut while it is read is corrupt, not an early end", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, key, bytesOf(1, 8 * MiB));
  const { rest } = await begin(await store.get(key));
  await truncate(join(root, key), 5 * MiB - 1);
  const read = async (): Promise<void> => {
    for (let step = await rest.next(); step.done !== true; step = await rest.next());
  };
  await assert.rejects(read(), withCode("corrupt"));
  assert.equal((await rest.next()).done, true);
});

test("keys in Holdall's own folder are invalid, in any case", async (t) => {
  const store = new FsStore(await temporaryFolder(t));
  for (const name of [".holdall", ".holdall/tmp/x", ".holdall/swap.lock", ".HoldAll/tmp"]) {
    const reserved = parseKey(name);
    const body = bodyOf(bytesOf(1, 10));
    await assert.rejects(store.put(reserved, body, { size: 10 }), withCode("invalid"));
    assert.ok(body.over, "the body was returned");
    await assert.rejects(store.get(reserved), withCode("invalid"));
    await assert.rejects(store.stat(reserved), withCode("invalid"));
    await assert.rejects(store.delete(reserved), withCode("invalid"));
  }
  await putBytes(store, parseKey(".holdall2/x"), bytesOf(1, 10));
  await putBytes(store, parseKey("x/.holdall/y"), bytesOf(1, 10));
  assert.deepEqual(await listKeys(store), [".holdall2/x", "x/.holdall/y"]);
  assert.deepEqual(await listKeys(store, ".holdall/"), []);
});

test("a key below another, or above, is invalid until the other is deleted", async (t) => {
  const store = new FsStore(await temporaryFolder(t));
  const [a, ab, abc] = [parseKey("a"), parseKey("a/b"), parseKey("a/b/c")];
  for (const o of [{}, { ifAbsent: true }]) {
    await putBytes(store, a, bytesOf(1, 10), o);
    for (const below of [ab, abc]) {
      await assert.rejects(putBytes(store, below, bytesOf(2, 10), o), withCode("invalid"));
      await assertAbsent(store, below);
      await store.delete(below);
    }
    await store.delete(a);
    await putBytes(store, abc, bytesOf(3, 10), o);
    for (const above of [a, ab]) {
      await assert.rejects(putBytes(store, above, bytesOf(4, 10), o), withCode("invalid"));
      await assertAbsent(store, above);
      await store.delete(above);
    }
    assertBytes(await getBytes(store, abc), bytesOf(3, 10));
    await store.delete(abc);
  }
});

test("links, odd names and folders are no objects", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, parseKey("target"), bytesOf(1, 10));
  await symlink(join(root, "target"), join(root, "link"));
  await mkdir(join(root, "folder"));
  await writeFile(join(root, "back\\slash"), "");
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), "");
  await assertAbsent(store, parseKey("link"));
  await assertAbsent(store, parseKey("folder"));
  assert.deepEqual(await listKeys(store), ["target"]);
});

test("segments that the file system cannot hold are invalid", async (t) => {
  const store = new FsStore(await temporaryFolder(t));
  const long = parseKey(`a/${"x".repeat(300)}`);
  await assert.rejects(putBytes(store, long, bytesOf(1, 10)), withCode("invalid"));
  await assert.rejects(store.get(long), withCode("invalid"));
});

test("a root that is a file is invalid to writers", async (t) => {
  const root = join(await temporaryFolder(t), "file");
  await writeFile(root, "");
  await assert.rejects(putBytes(new FsStore(root), key, bytesOf(1, 10)), withCode("invalid"));
});

test("a version is later than the one that it replaces, even if the clock was set back", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, key, bytesOf(1, 10));
  const future = new Date(Date.now() + 3_600_000);
  await utimes(join(root, key), future, future);
  for (let i = 0; i < 3; i++) {
    const old = await store.stat(key);
    const version = await putBytes(store, key, bytesOf(i, 10), i === 1 ? { ifMatch: old?.etag ?? "" } : {});
    const stat = await store.stat(key);
    assertSameStat(stat, version);
    assert.ok(old !== undefined && stat !== undefined && stat.modifiedAt > old.modifiedAt, `${i}`);
  }
  await store.close();
});

test("files of one size in one inode differ in their etags within a tick of the clock", () => {
  const etags = Array.from({ length: 1000 }, () => etagOf({ ino: 7, size: 10, mtimeMs: nextTimestamp() * 1000 }));
  assert.equal(new Set(etags).size, 1000);
});

test("a body that comes byte by byte is stored", async (t) => {
  const store = new FsStore(await temporaryFolder(t));
  const bytes = bytesOf(1, 20_000);
  await store.put(key, bodyOf(bytes, 1), { size: bytes.length });
  assertBytes(await getBytes(store, key), bytes);
  await store.close();
});

test("a put that waits for its turn to replace is ended by its signal", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, key, bytesOf(1, 10));
  using _held = ProcessLock.tryAcquire(join(root, ".holdall/swap.lock"));
  const controller = new AbortController();
  const reason = new Error("the caller's reason");
  const body = new TestBody(
    (function* () {
      yield bytesOf(2, 10);
      setImmediate(() => setImmediate(() => controller.abort(reason)));
    })(),
  );
  await assert.rejects(store.put(key, body, { size: 10, signal: controller.signal }), being(reason));
  assertBytes(await getBytes(store, key), bytesOf(1, 10));
});
