import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const RETRY_MILLISECONDS = 200;

/**
 * Runs `work` while no other process on this machine runs anything under the same lock file. The lock is SQLite's own,
 * which the operating system gives back when its holder dies, so nothing is ever left locked.
 */
export async function exclusively<T>(lockFile: string, work: () => Promise<T>): Promise<T> {
  const database = new DatabaseSync(lockFile, { timeout: 0 });
  try {
    while (!tryToLock(database)) await delay(RETRY_MILLISECONDS);
    return await work();
  } finally {
    database.close();
  }
}

const SQLITE_BUSY = 5;

function tryToLock(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
