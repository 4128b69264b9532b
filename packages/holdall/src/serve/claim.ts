import { access, constants } from "node:fs/promises";
import { join, sep } from "node:path";
import { errnoOf, makeDurableFolder, ProcessLock, StorageError, type StoreUrl } from "@holdall/object-store";
import { DATA_FOLDER_MODE } from "../data-folder.ts";
import { StartError } from "./errors.ts";

/**
 * Makes the data folder if need be and takes it for this process until it ends, however it ends: two servers with their
 * own idea of what is going on would spoil each other's housekeeping.
 * @throws StartError
 */
export async function claimDataFolder(data: string): Promise<ProcessLock> {
  const lock = await orExplain("data", data, async () => {
    await makeWritable(data, DATA_FOLDER_MODE);
    return ProcessLock.tryAcquire(join(data, "server.lock"));
  });
  if (lock !== undefined) return lock;
  throw new StartError(`another Holdall server is using ${data}: stop it, or name another folder with --data`);
}

/** Makes the store's folder, if it is one and need be: better refused now than at the first upload. @throws StartError */
export async function claimStore(store: StoreUrl): Promise<void> {
  if (store.kind === "file") await orExplain("store", store.path, () => makeWritable(store.path, 0o777));
}

async function makeWritable(folder: string, mode: number): Promise<void> {
  await makeDurableFolder(folder, mode);
  // The separator makes ENOTDIR of a file.
  await access(folder + sep, constants.W_OK | constants.X_OK);
}

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free or add space",
  EDQUOT: "the disk quota is used up: raise it or free space",
  EROFS: "its file system is mounted read-only: mount it writable",
  ENOTDIR: "it is, or is below, a file: move that away",
};

async function orExplain<T>(what: "data" | "store", folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw refused(what, folder, cause);
  }
}

/** What kept us from writing to the folder, and what to do about it. */
export function refused(what: "data" | "store", folder: string, cause: unknown): StartError {
  // The object store wraps what the operating system says.
  const code = errnoOf(cause instanceof StorageError ? cause.cause : cause);
  const todo = WHAT_TO_DO[code ?? ""] ?? "give this user the right to";
  const why = code ?? (cause instanceof Error ? cause.message : String(cause));
  const message = `cannot write to the ${what} folder ${folder} (${why}): ${todo}, or name another with --${what}`;
  return new StartError(message, { cause });
}
