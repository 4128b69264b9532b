import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { unlink } from "../../fs/calls.ts";
import { isErrno } from "../../fs/errors.ts";

/** For its owner only: these are the bytes of objects. */
export const FOLDER_MODE = 0o700;

/** Anything else is not ours to remove. */
const SHARE = /^(0|[1-9]\d{0,3})$/;
const ENTRY = /^[0-9a-f]{32}$/;
const FILL = /^[0-9a-f]{32}-\d+$/;

export function isShare(file: string): boolean {
  return SHARE.test(file);
}

export function isEntry(file: string): boolean {
  return ENTRY.test(file);
}

/** Where the entries of a share are, each under its name. */
export function entriesIn(share: string): string {
  return join(share, "entries");
}

/** Where entries are filled, under their name and a number. */
export function fillsIn(share: string): string {
  return join(share, "fills");
}

/** Removes what is being filled, of one entry or of all. @returns how many files */
export async function removeFills(share: string, name?: string): Promise<number> {
  let removed = 0;
  for (const file of await filesIn(fillsIn(share))) {
    if (!FILL.test(file) || (name !== undefined && !file.startsWith(`${name}-`))) continue;
    if (await removeFile(join(fillsIn(share), file))) removed += 1;
  }
  return removed;
}

export async function removeEntries(share: string): Promise<void> {
  for (const file of await filesIn(entriesIn(share))) {
    if (isEntry(file)) await removeFile(join(entriesIn(share), file));
  }
}

/** @returns nothing when there is no such folder */
export async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** @returns false when it was not there */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}
