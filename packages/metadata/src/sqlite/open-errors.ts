import { constants } from "node:os";
import { MetadataError, type MetadataErrorCode } from "../errors.ts";

/** What the operating system says of a database that cannot be created or looked at. Anything else is `unavailable`. */
const MEANING: Readonly<Record<string, { code: MetadataErrorCode; text: string }>> = {
  EACCES: { code: "read-only", text: "cannot be written to; make the file and its folder writable for this user" },
  EPERM: { code: "read-only", text: "cannot be written to; make the file and its folder writable for this user" },
  EROFS: { code: "read-only", text: "cannot be written to: its file system is mounted read-only" },
  ENOENT: { code: "unavailable", text: "cannot be created: there is no such folder; create it" },
  ENOTDIR: { code: "unavailable", text: "cannot be created: its folder is a file; name another" },
  ENOSPC: { code: "full", text: "cannot be created: the disk is full; free or add space" },
  EDQUOT: { code: "full", text: "cannot be created: the disk quota is used up; raise it or free space" },
};

export function openError(path: string, error: unknown): MetadataError {
  const code = errnoOf(error) ?? String(error);
  const { code: meaning, text } = MEANING[code] ?? { code: "unavailable", text: "cannot be opened" };
  return new MetadataError(meaning, `${path} ${text} (${code})`, { cause: error });
}

/** The code of a failed system call, such as `ENOSPC`; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  // libuv, and so Node, has no name for this one.
  if ("errno" in error && error.errno === -constants.errno.EDQUOT) return "EDQUOT";
  return typeof error.code === "string" ? error.code : undefined;
}
