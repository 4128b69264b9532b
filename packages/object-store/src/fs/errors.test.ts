import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, it } from "node:test";
import { getSystemErrorName } from "node:util";
import { StorageError } from "../errors.ts";
import { errnoOf, fsError, isErrno } from "./errors.ts";

type Errno = keyof typeof constants.errno;

/** As Node makes it: the code is libuv's name for the number, or a few words where it has none. */
function systemError(name: Errno): Error {
  const errno = -constants.errno[name];
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: so it says, write`), { errno, code, syscall: "write" });
}

describe("the table of the operating system's failures", () => {
  const transient = { retryable: true };
  const lasting = { retryable: false };
  for (const [name, code, { retryable }, hint] of [
    ["ENOENT", "unavailable", transient, /vanished/],
    ["ENOTDIR", "invalid", lasting, /beginning of the key is itself an object/],
    ["EEXIST", "invalid", lasting, /beginning of the key is itself an object/],
    ["ENOSPC", "full", lasting, /disk is full: free or add space/],
    ["EDQUOT", "full", lasting, /disk quota is used up: raise it or free space/],
    ["EFBIG", "full", lasting, /files of this size/],
    ["EXDEV", "unavailable", lasting, /another file system/],
    ["ELOOP", "unavailable", lasting, /link to itself/],
    ["EACCES", "denied", lasting, /give this user the right/],
    ["EPERM", "denied", lasting, /give this user the right/],
    ["EROFS", "denied", lasting, /mounted read-only/],
    ["ENAMETOOLONG", "invalid", lasting, /longer than the file system allows/],
    ["EMFILE", "throttled", transient, /too many files are open: raise the limit/],
    ["ENFILE", "throttled", transient, /too many files are open on this machine/],
    ["EIO", "unavailable", lasting, /disk reports an error/],
    ["ENXIO", "unavailable", transient, /^storing a failed: ENXIO$/],
  ] as const) {
    it(`turns ${name} into ${code}, says so and what to do, and keeps the cause`, () => {
      const cause = systemError(name);
      const error = fsError(cause, "storing a");
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.retryable], [code, retryable]);
      assert.ok(error.message.startsWith(`storing a failed: ${name}`), error.message);
      assert.match(error.message, hint);
      assert.equal(error.cause, cause);
    });
  }

  it("leaves errors of others as they are", () => {
    for (const error of [new StorageError("full", "full"), new TypeError("no"), "text", undefined]) {
      assert.equal(fsError(error, "storing a"), error);
      assert.equal(errnoOf(error), undefined);
    }
  });
});

describe("the code of a failed system call", () => {
  it("is the operating system's name, also where Node has none", () => {
    for (const name of ["ENOENT", "EDQUOT", "EMFILE"] as const) assert.equal(errnoOf(systemError(name)), name);
  });

  it("is one of those that are asked for, or not", () => {
    assert.equal(isErrno(systemError("EDQUOT"), "ENOSPC", "EDQUOT"), true);
    assert.equal(isErrno(systemError("EDQUOT"), "ENOSPC"), false);
    assert.equal(isErrno(new Error("EDQUOT"), "EDQUOT"), false);
  });
});
