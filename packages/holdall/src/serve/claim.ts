import { access, constants, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ProcessLock } from "@holdall/object-store";
import { StartError } from "./errors.ts";

/**
 * Makes the data folder if need be and takes it for this process until it ends, however it ends: two servers with their
 * own idea of what is going on would spoil each other's housekeeping.
 * @throws StartError
 */
export async function claimDataFolder(data: string): Promise<ProcessLock> {
  try {
    // For this user alone: it holds the database of users and the secret.
    await mkdir(data, { recursive: true, mode: 0o700 });
    await access(data, constants.W_OK);
  } catch (cause) {
    throw new StartError(
      `cannot write to the data folder ${data} (${reason(cause)}): give this user the right to, or name another with --data`,
      { cause },
    );
  }
  const lock = tryLock(data);
  if (lock !== undefined) return lock;
  throw new StartError(`another Holdall server is using ${data}: stop it, or name another folder with --data`);
}

function tryLock(data: string): ProcessLock | undefined {
  try {
    return ProcessLock.tryAcquire(join(data, "server.lock"));
  } catch (cause) {
    throw new StartError(
      `cannot write to the data folder ${data} (${reason(cause)}): give this user the right to, or name another with --data`,
      { cause },
    );
  }
}

function reason(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string" && error.code !== "ERR_SQLITE_ERROR")
    return error.code;
  return error instanceof Error ? error.message : String(error);
}
