import assert from "node:assert/strict";
import fs from "node:fs";
import promises, { readdir } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/folder.ts";
import { bodyOf, bytesOf, putBytes, withCode } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import type { UploadedPart } from "../port.ts";

/** What the store asked of the system, in the order in which it began and ended. */
const log: string[] = [];
const paths = new Map<number, string>();

/** Has calls noted; must come before the store is loaded, which takes hold of them then. */
function watch(): void {
  const { open, openSync, fsync, fdatasync } = fs;
  const named = (fd: number, path: fs.PathLike): number => (paths.set(fd, String(path)), fd);
  fs.openSync = (path, ...rest) => named(openSync(path, ...rest), path);
  const opening = (path: fs.PathLike, flags: fs.OpenMode, done: (error: Error | null, fd: number) => void): void =>
    open(path, flags, (error, fd) => done(error, error === null ? named(fd, path) : fd));
  const syncing =
    (sync: typeof fsync) =>
    (fd: number, done: fs.NoParamCallback): void => {
      const path = paths.get(fd) ?? assert.fail("what is synced was opened");
      log.push(`sync ${path}`);
      sync(fd, (error) => {
        log.push(`synced ${path}`);
        done(error);
      });
    };
  Object.assign(fs, { open: opening, fsync: syncing(fsync), fdatasync: syncing(fdatasync) });
  for (const name of ["link", "rename", "mkdir"] as const) {
    const original = promises[name] as (...args: readonly unknown[]) => Promise<unknown>;
    const noted = async (...args: readonly unknown[]): Promise<unknown> => {
      // The new name is what each is about.
      const path = String(name === "mkdir" ? args[0] : args[1]);
      log.push(`${name} ${path}`);
      const result = await original(...args);
      log.push(`${name} done ${path}`);
      return result;
    };
    Object.assign(promises, { [name]: noted });
  }
  syncBuiltinESMExports();
}

watch();
const { FsStore } = await import("./store.ts");
const { makeDurableFolder } = await import("./make-folder.ts");

/** What the store did meanwhile. */
async function during(action: () => Promise<unknown>): Promise<string[]> {
  log.length = 0;
  await action();
  return [...log];
}

/** That these came in this order, whatever was between. */
function assertOrder(calls: readonly string[], ...expected: readonly (string | RegExp)[]): void {
  let at = 0;
  for (const one of expected) {
    const found = calls.findIndex(
      (call, index) => index >= at && (typeof one === "string" ? call === one : one.test(call)),
    );
    assert.ok(found >= 0, `no ${one} after ${calls[at - 1] ?? "the beginning"}:\n${calls.join("\n")}`);
    at = found + 1;
  }
}

const TEMPORARY_SYNCED = /^synced .*\/\.holdall\/tmp\/[0-9a-f]{16}\/\w+$/;

test("a created object is on the disk before it has a name, and its name and folders before the put resolves", async (t) => {
  const parent = await temporaryFolder(t);
  const root = join(parent, "new/root");
  const store = new FsStore(root);
  const path = join(root, "objects/aa/bb/one");
  const create = (key: string): Promise<unknown> =>
    putBytes(store, parseKey(key), bytesOf(1, 100_000), { ifAbsent: true });

  const calls = await during(() => create("objects/aa/bb/one"));
  assertOrder(
    calls,
    TEMPORARY_SYNCED,
    `link ${path}`,
    `link done ${path}`,
    `sync ${dirname(path)}`,
    `synced ${dirname(path)}`,
  );
  for (let made = dirname(path); made !== parent; made = dirname(made)) {
    const above = dirname(made);
    assertOrder(calls, `mkdir done ${made}`, `sync ${above}`, `synced ${above}`);
  }

  const second = await during(() => create("objects/aa/bb/two"));
  const folder = dirname(path);
  assertOrder(second, TEMPORARY_SYNCED, `link done ${join(folder, "two")}`, `sync ${folder}`, `synced ${folder}`);
  await store.close();
});

test("a replaced object is on the disk before it has the name, and the name before the put resolves", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  const { etag } = await putBytes(store, parseKey("a/one"), bytesOf(1, 1000));
  for (const o of [{}, { ifMatch: etag }].toReversed()) {
    const calls = await during(() => putBytes(store, parseKey("a/one"), bytesOf(2, 1000), o));
    const [path, folder] = [join(root, "a/one"), join(root, "a")];
    assertOrder(calls, TEMPORARY_SYNCED, `rename ${path}`, `rename done ${path}`, `sync ${folder}`, `synced ${folder}`);
  }
  await store.close();
});

test("an upload and each of its parts are on the disk when their promises resolve, and what is joined before it has a name", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  const { multipart } = store;
  const target = parseKey("a/one");
  const uploads = join(root, ".holdall/uploads");
  let upload = "";
  const begun = await during(async () => (upload = await multipart.create(target)));
  const folder = join(uploads, (await readdir(uploads))[0] ?? "");
  assertOrder(begun, `mkdir done ${folder}`, `sync ${uploads}`, `synced ${uploads}`);

  const put = (number: number, seed: number): Promise<UploadedPart> =>
    multipart.putPart(target, upload, number, bodyOf(bytesOf(seed, 1000)), { size: 1000 });
  const parts: UploadedPart[] = [];
  for (const [number, seed] of [
    [1, 1],
    [2, 2],
    [2, 3],
  ] as const) {
    const sent = await during(async () => (parts[number - 1] = await put(number, seed)));
    const path = join(folder, String(number));
    assertOrder(sent, TEMPORARY_SYNCED, `rename ${path}`, `rename done ${path}`, `sync ${folder}`, `synced ${folder}`);
  }
  const ended = await during(() => multipart.complete(target, upload, parts));
  const path = join(root, "a/one");
  // The parts go last: until then they are all there is.
  const synced = `synced ${dirname(path)}`;
  assertOrder(ended, TEMPORARY_SYNCED, `rename done ${path}`, synced, `rename ${folder}.ended`);
  await store.close();
});

test("a copy that is another name of its source has it for good when the promise resolves", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  await putBytes(store, parseKey("a/one"), bytesOf(1, 1000));
  const calls = await during(() => store.copy(parseKey("a/one"), parseKey("b/two"), { ifAbsent: true }));
  const [path, folder] = [join(root, "b/two"), join(root, "b")];
  assertOrder(calls, `mkdir done ${folder}`, `sync ${root}`, `synced ${root}`);
  assertOrder(calls, `link done ${path}`, `sync ${folder}`, `synced ${folder}`);
  await store.close();
});

test("whoever hears that an object is there, or gone, can rely on it", async (t) => {
  const root = await temporaryFolder(t);
  await putBytes(new FsStore(root), parseKey("a/one"), bytesOf(1, 1000));
  // Another process, which does not know what has been synced.
  const store = new FsStore(root);
  const again = putBytes.bind(undefined, store, parseKey("a/one"), bytesOf(1, 1000), { ifAbsent: true });
  assertOrder(await during(() => assert.rejects(again(), withCode("conflict"))), `synced ${join(root, "a")}`);
  assertOrder(await during(() => store.delete(parseKey("a/one"))), `synced ${join(root, "a")}`);
  await store.close();
});

test("a large object is pushed to the disk as it comes, and synced once more at its end", async (t) => {
  const root = await temporaryFolder(t);
  const store = new FsStore(root);
  const size = 160 * 1024 * 1024;
  const piece = Buffer.alloc(1024 * 1024, "x");
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < size; at += piece.length) yield piece;
  }
  const calls = await during(() => store.put(parseKey("large"), body(), { size }));
  const syncs = calls.filter((call) => TEMPORARY_SYNCED.test(call));
  assert.equal(syncs.length, 3, "each 64 MiB, and the rest");
  assert.ok(calls.indexOf(`rename ${join(root, "large")}`) > calls.lastIndexOf(syncs[2] ?? ""));
  await store.close();
});

test("a folder that is made for good is synced into the one above, as are those above that had to be made", async (t) => {
  const parent = await temporaryFolder(t);
  const calls = await during(() => makeDurableFolder(join(parent, "a/b/c")));
  for (const made of ["a", "a/b", "a/b/c"].map((name) => join(parent, name))) {
    assertOrder(calls, `mkdir done ${made}`, `sync ${dirname(made)}`, `synced ${dirname(made)}`);
  }
  assert.equal(calls.filter((call) => call.startsWith("sync ")).length, 3);
});
