import { constants } from "node:os";
import { StorageError, type StorageErrorCode } from "../errors.ts";

/** What each failure of the operating system means to a caller. Anything else is `unavailable`. */
const MEANING: Readonly<Record<string, { code: StorageErrorCode; hint?: string; retryable?: boolean }>> = {
  ENOENT: { code: "unavailable", hint: "a file or folder vanished: does another program write to the store?" },
  ENOTDIR: {
    code: "invalid",
    hint: "the beginning of the key is itself an object, which a folder cannot hold beside it",
  },
  EEXIST: {
    code: "invalid",
    hint: "the beginning of the key is itself an object, which a folder cannot hold beside it",
  },
  ENOSPC: { code: "full", hint: "the disk is full: free or add space" },
  EDQUOT: { code: "full", hint: "the disk quota is used up: raise it or free space" },
  EFBIG: { code: "full", hint: "the file system or the process limit does not allow files of this size" },
  EXDEV: {
    code: "unavailable",
    hint: "a part of the store is on another file system; all of it must be on one",
    retryable: false,
  },
  ELOOP: { code: "unavailable", hint: "a folder of the store is a link to itself", retryable: false },
  EACCES: { code: "denied", hint: "give this user the right to it" },
  EPERM: { code: "denied", hint: "give this user the right to it" },
  EROFS: { code: "denied", hint: "the file system is mounted read-only" },
  ENAMETOOLONG: { code: "invalid", hint: "a segment of the key is longer than the file system allows" },
  EMFILE: { code: "throttled", hint: "too many files are open: raise the limit (ulimit -n)" },
  ENFILE: { code: "throttled", hint: "too many files are open on this machine" },
  EIO: { code: "unavailable", hint: "the disk reports an error: look at the system log", retryable: false },
};

/** Turns an error of `node:fs` into a StorageError; any other error (a body's, say) is returned as it is. */
export function fsError(error: unknown, doing: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const meaning = MEANING[errno] ?? { code: "unavailable" };
  const hint = meaning.hint === undefined ? "" : `; ${meaning.hint}`;
  return new StorageError(meaning.code, `${doing} failed: ${errno}${hint}`, {
    cause: error,
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
  });
}

/** Whether `error` is a system call that failed with one of these codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  const errno = errnoOf(error);
  return errno !== undefined && codes.includes(errno);
}

/** The code of a failed system call, such as `ENOSPC`; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  // libuv, and so Node, has no name for this one.
  if ("errno" in error && error.errno === -constants.errno.EDQUOT) return "EDQUOT";
  return typeof error.code === "string" ? error.code : undefined;
}
