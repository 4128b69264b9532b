import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const SQLITE_BUSY = 5;

/**
 * A lock on a file that the operating system takes away from a process that dies, however it dies. Node has no call for
 * that; SQLite does, on every platform: an exclusive transaction, held open, on an empty database. The file stays empty.
 * Nothing else in the process may open the file: closing any descriptor of it would drop a POSIX lock.
 */
export class ProcessLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Takes the lock, or returns undefined when someone (in this process or another) holds it. Never waits. */
  static tryAcquire(path: string): ProcessLock | undefined {
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec("BEGIN EXCLUSIVE");
      return new ProcessLock(database);
    } catch (error) {
      database.close();
      if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return undefined;
      throw error;
    }
  }

  /** Waits until the lock is free. The kernel cannot tell us when, so we ask, with jitter against marching in step. */
  static async acquire(path: string, signal?: AbortSignal): Promise<ProcessLock> {
    for (;;) {
      const lock = ProcessLock.tryAcquire(path);
      if (lock !== undefined) return lock;
      await delay(2 + Math.random() * 8, undefined, signal === undefined ? {} : { signal });
    }
  }

  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
