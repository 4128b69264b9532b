import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { getSystemErrorName } from "node:util";
import { StorageError } from "@holdall/object-store";
import { refused } from "./claim.ts";

/** As Node makes it: the code is libuv's name for the number, or a few words where it has none. */
function systemError(name: keyof typeof constants.errno): Error {
  const errno = -constants.errno[name];
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: so it says, mkdir`), { errno, code, syscall: "mkdir" });
}

describe("a folder that cannot be written to", () => {
  for (const [name, todo] of [
    ["ENOSPC", "the disk is full: free or add space"],
    ["EDQUOT", "the disk quota is used up: raise it or free space"],
    ["EROFS", "its file system is mounted read-only: mount it writable"],
    ["ENOTDIR", "it is, or is below, a file: move that away"],
    ["EACCES", "give this user the right to"],
  ] as const) {
    test(`for ${name} is refused with what to do: ${todo}`, () => {
      const cause = systemError(name);
      const wrapped = new StorageError("unavailable", "locking failed", { cause });
      for (const error of [cause, wrapped]) {
        const line = `cannot write to the data folder /srv/lfs (${name}): ${todo}, or name another with --data`;
        assert.equal(refused("data", "/srv/lfs", error).message, line);
      }
    });
  }
});
