import { access, constants, mkdir } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { ProcessLock, StorageError, type StoreUrl } from "@holdall/object-store";
import { StartError } from "./errors.ts";

/**
 * Makes the data folder if need be and takes it for this process until it ends, however it ends: two servers with their
 * own idea of what is going on would spoil each other's housekeeping.
 * @throws StartError
 */
export async function claimDataFolder(data: string): Promise<ProcessLock> {
  const lock = await orExplain("data", data, async () => {
    // For this user alone: it holds the database of users and the secret.
    await makeWritable(data, 0o700);
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
  await makeFolder(folder, mode);
  // The separator makes ENOTDIR of a file.
  await access(folder + sep, constants.W_OK | constants.X_OK);
}

/**
 * As `mkdir -p` does it. Node's own never returns where a folder takes no new ones and says ENOENT, as /proc and
 * automounters do: it goes on making the folder above, which is there.
 */
async function makeFolder(folder: string, mode: number, parentIsMade = false): Promise<void> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    if (errnoOf(error) !== "ENOENT" || parentIsMade) throw error;
    await makeFolder(dirname(folder), mode);
    await makeFolder(folder, mode, true);
  }
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
    const code = errnoOf(cause);
    const todo = WHAT_TO_DO[code ?? ""] ?? "give this user the right to";
    const why = code ?? (cause instanceof Error ? cause.message : String(cause));
    throw new StartError(
      `cannot write to the ${what} folder ${folder} (${why}): ${todo}, or name another with --${what}`,
      { cause },
    );
  }
}

/** The operating system's code, also where the object store has wrapped it. */
function errnoOf(error: unknown): string | undefined {
  if (error instanceof StorageError) return errnoOf(error.cause);
  return error instanceof Error && "syscall" in error && "code" in error ? String(error.code) : undefined;
}
