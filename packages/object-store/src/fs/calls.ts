import fs from "node:fs";
import { promisify } from "node:util";

/**
 * The system calls of the byte path, as promises over the callback interface: `FileHandle` costs several times as much
 * for each call, which shows with small objects.
 */
export const open: (path: string, flags: string | number) => Promise<number> = promisify<
  string,
  string | number,
  number
>(fs.open);
export const close: (fd: number) => Promise<void> = promisify(fs.close);
export const lstat: (path: string) => Promise<fs.Stats> = promisify<string, fs.Stats>(fs.lstat);
export const unlink: (path: string) => Promise<void> = promisify(fs.unlink);
export const fsync: (fd: number) => Promise<void> = promisify(fs.fsync);
export const fdatasync: (fd: number) => Promise<void> = promisify(fs.fdatasync);
export const futimes: (fd: number, atime: number, mtime: number) => Promise<void> = promisify(fs.futimes);

/**
 * What the kernel holds in memory once a file is open needs no thread: the switch there and back costs ten times what
 * `fstatSync` and `closeSync` do (for files that were only read; closing what was written may wait for a server). When
 * `openSync` and `readSync` may be used is up to `ReadPace`.
 */
export { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Reads up to `length` bytes at `position` into `buffer`; fewer only at the end of the file. Returns the number read. */
export async function readFully(fd: number, buffer: Uint8Array, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await read(fd, buffer, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** Writes all the chunks at `position`, however often the system takes only a part. */
export async function writeFully(fd: number, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let rest = chunks;
  let at = position;
  while (rest.length > 0) {
    const count = await writev(fd, rest, at);
    at += count;
    rest = dropBytes(rest, count);
  }
}

function writev(fd: number, chunks: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(fd, chunks, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function dropBytes(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}
