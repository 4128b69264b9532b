import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "../errors.ts";
import { fsError } from "./errors.ts";

const SQLITE_BUSY = 5;

/**
 * A lock on a file that the operating system takes away from a process that dies, however it dies. Node has no call for
 * that; SQLite does, on every platform: an exclusive transaction, held open, on an empty database. The file stays empty,
 * and with its journal in memory there is no second one beside it.
 * Nothing else in the process may open the file: closing any descriptor of it would drop a POSIX lock.
 */
export class ProcessLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Takes the lock, or returns undefined when someone (in this process or another) holds it. Never waits.
   * @throws StorageError when the file cannot be made or written
   */
  static tryAcquire(path: string): ProcessLock | undefined {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: 0 });
      // Of a file that may only be read SQLite gives out shared locks, which exclude nobody.
      accessSync(path, constants.W_OK);
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new ProcessLock(database);
    } catch (error) {
      database?.close();
      if (sqliteCode(error) === SQLITE_BUSY) return undefined;
      throw explained(error, path);
    }
  }

  /**
   * Waits until the lock is free. The kernel cannot tell us when, so we ask, with jitter against marching in step.
   * @throws the signal's reason
   */
  static async acquire(path: string, signal?: AbortSignal): Promise<ProcessLock> {
    for (;;) {
      signal?.throwIfAborted();
      const lock = ProcessLock.tryAcquire(path);
      if (lock !== undefined) return lock;
      await delay(2 + Math.random() * 8);
    }
  }

  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function sqliteCode(error: unknown): unknown {
  return error instanceof Error && "errcode" in error ? error.errcode : undefined;
}

/** SQLite says only that it could not open the file; the folder knows why. */
function explained(error: unknown, path: string): unknown {
  if (sqliteCode(error) === undefined) return fsError(error, `locking ${path}`);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (why) {
    return fsError(why, `locking ${path}`);
  }
  return new StorageError("unavailable", `locking ${path} failed: ${String(error)}`, { cause: error });
}
