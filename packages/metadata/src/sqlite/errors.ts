import { MetadataError, type MetadataErrorCode } from "../errors.ts";

interface Meaning {
  readonly code: MetadataErrorCode;
  /** What happened, continuing the file's name, and what to do. */
  readonly text: string;
}

const UNIQUE: Meaning = { code: "conflict", text: "already holds something under this name" };

/**
 * SQLite's result codes (https://sqlite.org/rescode.html) and what each means to a caller. An extended code that is not
 * listed means what its low byte, the primary code, means.
 */
const MEANING: Readonly<Record<number, Meaning>> = {
  /* SQLITE_PERM */ 3: { code: "read-only", text: "may not be written to; give this user the right to it" },
  /* SQLITE_BUSY */ 5: {
    code: "busy",
    text: "is kept locked by another process; try again, and stop the program that keeps it locked",
  },
  /* SQLITE_LOCKED */ 6: { code: "busy", text: "is locked by this process; try again" },
  /* SQLITE_READONLY */ 8: {
    code: "read-only",
    text: "cannot be written to; make the file and its folder writable for this user",
  },
  /* SQLITE_IOERR */ 10: {
    code: "unavailable",
    text: "cannot be read or written; look at the system log for disk errors",
  },
  // All that SQLite says of EDQUOT; it keeps only ENOSPC apart.
  /* SQLITE_IOERR_WRITE */ 778: {
    code: "unavailable",
    text: "cannot be written to; look whether the disk quota is used up, and at the system log for disk errors",
  },
  // In WAL mode a database is opened with a small file beside it, which found no room.
  /* SQLITE_IOERR_SHMSIZE */ 4874: {
    code: "full",
    text: "cannot be opened: the disk is full, or the disk quota used up. Nothing was changed; free or add space",
  },
  /* SQLITE_CORRUPT */ 11: { code: "corrupt", text: "is damaged; nothing was changed. Restore it from a backup" },
  /* SQLITE_FULL */ 13: { code: "full", text: "cannot grow: the disk is full. Nothing was changed; free or add space" },
  /* SQLITE_CANTOPEN */ 14: {
    code: "unavailable",
    text: "cannot be opened; check that it is a file, and that this user may write to its folder",
  },
  /* SQLITE_TOOBIG */ 18: { code: "invalid", text: "does not take a value of this length" },
  /* SQLITE_CONSTRAINT */ 19: { code: "invalid", text: "does not take such a value" },
  /* SQLITE_CONSTRAINT_FOREIGNKEY */ 787: { code: "not-found", text: "does not hold what this refers to" },
  /* SQLITE_CONSTRAINT_PRIMARYKEY */ 1555: UNIQUE,
  /* SQLITE_CONSTRAINT_UNIQUE */ 2067: UNIQUE,
  /* SQLITE_NOTADB */ 26: {
    code: "corrupt",
    text: "is not an SQLite database, or its beginning is damaged; nothing was changed. Name another file, or restore it from a backup",
  },
};

const UNKNOWN: Meaning = { code: "unavailable", text: "cannot be used" };

/** A failure of `node:sqlite`, as it also travels from the writer thread. */
export interface SqliteFailure {
  readonly message: string;
  /** SQLite's extended result code; undefined when `node:sqlite` itself refused a value. */
  readonly errcode: number | undefined;
}

/** What is worth keeping of anything that `node:sqlite` throws. */
export function toFailure(error: unknown): SqliteFailure {
  const message = error instanceof Error ? error.message : String(error);
  const errcode =
    error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined;
  return { message, errcode };
}

/** Whether another connection is in the way for now. */
export function isBusy(failure: SqliteFailure): boolean {
  return failure.errcode !== undefined && (failure.errcode & 0xff) === 5;
}

export function sqliteError(file: string, failure: SqliteFailure): MetadataError {
  const { errcode, message } = failure;
  const cause = new Error(errcode === undefined ? message : `SQLite result ${errcode}: ${message}`);
  if (errcode === undefined) {
    return new MetadataError("invalid", `${file} does not take such a value (${message})`, { cause });
  }
  const meaning = MEANING[errcode] ?? MEANING[errcode & 0xff] ?? UNKNOWN;
  return new MetadataError(meaning.code, `${file} ${meaning.text} (SQLite: ${message})`, { cause });
}
