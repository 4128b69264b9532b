import assert from "node:assert/strict";
import { fstatSync, mkdtempSync, openSync, readSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, mock, test } from "node:test";
import { OpenFiles, type OpenFile } from "./open-files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdall-open-files-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "a");
beforeEach(() => writeFileSync(path, "first"));

function keep(files: OpenFiles, at = path): OpenFile {
  const fd = openSync(at, "r");
  return files.keep(at, fd, fstatSync(fd));
}

function text({ fd }: OpenFile): string {
  const buffer = Buffer.alloc(10);
  return buffer.toString("utf8", 0, readSync(fd, buffer, 0, 10, 0));
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

test("a file that was read is still open for the next reader", () => {
  const files = new OpenFiles();
  const first = keep(files);
  first.release();
  const second = files.find(path);
  assert.equal(second?.fd, first.fd);
  assert.equal(text(second), "first");
  assert.equal(second.stats.size, 5);
  second.release();
  files.close();
  assert.equal(isOpen(first.fd), false);
});

test("a file that was replaced or removed behind our back is not given out after a second, and is closed", () => {
  let now = 0;
  const files = new OpenFiles(() => now);
  const replaced = keep(files);
  replaced.release();
  writeFileSync(`${path}.new`, "second");
  renameSync(`${path}.new`, path);
  now += 1001;
  assert.equal(files.find(path), undefined);
  assert.equal(isOpen(replaced.fd), false);

  const removed = keep(files);
  removed.release();
  rmSync(path);
  now += 1001;
  assert.equal(files.find(path), undefined);
  assert.equal(isOpen(removed.fd), false);
});

test("a file that was cut where it is, behind our back, is not given out of memory after a second", () => {
  let now = 0;
  const files = new OpenFiles(() => now);
  keep(files).release();
  const again = files.find(path);
  again?.keepBytes(Buffer.from("first"));
  again?.release();
  truncateSync(path, 2);
  now += 1001;
  assert.equal(files.find(path), undefined);
  files.close();
});

test("a file that is forgotten stays open for whoever reads it, and no longer", () => {
  const files = new OpenFiles();
  const file = keep(files);
  files.forget(path);
  assert.equal(files.find(path), undefined);
  assert.equal(text(file), "first");
  file.release();
  assert.equal(isOpen(file.fd), false);
});

test("files stay open up to a number; the least recently used is closed first", () => {
  const files = new OpenFiles();
  const fds = Array.from({ length: 1025 }, (_, index) => {
    const at = join(folder, String(index));
    writeFileSync(at, "");
    const file = keep(files, at);
    file.release();
    // The first is in use again and again.
    files.find(join(folder, "0"))?.release();
    return file.fd;
  });
  assert.equal(isOpen(fds[0] ?? -1), true);
  assert.equal(files.find(join(folder, "1")), undefined);
  files.find(join(folder, "2"))?.release();
  assert.equal(fds.filter(isOpen).length, 1024);
  files.close();
  assert.equal(fds.filter(isOpen).length, 0);
});

test("a file that nobody reads for a while is closed; one that is read stays", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const files = new OpenFiles();
  const [idle, used] = [keep(files), keep(files, join(folder, "0"))];
  idle.release();
  used.release();
  mock.timers.tick(10_000);
  files.find(join(folder, "0"))?.release();
  mock.timers.tick(10_000);
  assert.equal(isOpen(idle.fd), false);
  assert.equal(isOpen(used.fd), true);
  mock.timers.tick(20_000);
  assert.equal(isOpen(used.fd), false);
  mock.timers.reset();
});

test("what is read again is wanted in memory, stays there with the file, and no longer", () => {
  const files = new OpenFiles();
  const first = keep(files);
  assert.equal(first.wanted, false);
  first.release();
  const again = files.find(path);
  assert.equal(again?.wanted, true);
  again.keepBytes(Buffer.from("first"));
  again.release();
  const kept = files.find(path);
  assert.deepEqual([kept?.wanted, kept?.bytes], [false, Buffer.from("first")]);
  kept?.release();
  files.forget(path);
  keep(files).release();
  const anew = files.find(path);
  assert.deepEqual([anew?.wanted, anew?.bytes], [true, undefined]);
  anew?.release();
  files.close();
});

test("what is kept in memory has a limit, and makes room when its file is forgotten", () => {
  const files = new OpenFiles();
  const paths = ["one", "two"].map((name) => join(folder, name));
  for (const at of paths) {
    writeFileSync(at, "");
    truncateSync(at, 40 * 1024 * 1024);
    keep(files, at).release();
  }
  const [one, two] = paths.map((at) => files.find(at));
  one?.keepBytes(new Uint8Array(40 * 1024 * 1024));
  // It was wanted while there was room.
  two?.keepBytes(new Uint8Array(40 * 1024 * 1024));
  assert.equal(files.find(paths[1] ?? "")?.bytes, undefined);
  files.forget(paths[0] ?? "");
  assert.equal(files.find(paths[1] ?? "")?.wanted, true);
  files.close();
});
