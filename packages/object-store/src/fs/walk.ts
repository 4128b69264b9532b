import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { compareKeys } from "../compare.ts";
import { isKey } from "../key.ts";
import { isErrno } from "./errors.ts";

/**
 * The names of all files below `root` that start with `prefix` and come after `after`, relative to it and with `/`, in
 * byte order. Holds the names of one folder for each level in memory. Links are not followed.
 * @param hidden a folder directly below the root that is left out
 */
export async function* walk(root: string, prefix: string, after: string, hidden: string): AsyncGenerator<string> {
  // Folders outside the prefix are never opened: start at the deepest that all the names share.
  const start = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  // What no key starts with must not become a path either.
  if (start !== "" && !isKey(start.slice(0, -1))) return;
  yield* walkFolder(root, start, prefix, after, hidden);
}

async function* walkFolder(
  root: string,
  folder: string,
  prefix: string,
  after: string,
  hidden: string,
): AsyncGenerator<string> {
  for (const name of await entries(root, folder)) {
    if (name === `${hidden}/` || name.startsWith(`${hidden}/`)) continue;
    if (name.endsWith("/")) {
      const mayMatch = name.startsWith(prefix) || prefix.startsWith(name);
      // Everything in the folder starts with its name, so it is all before `after` unless that starts so too.
      const mayFollow = compareKeys(name, after) > 0 || after.startsWith(name);
      if (mayMatch && mayFollow) yield* walkFolder(root, name, prefix, after, hidden);
    } else if (name.startsWith(prefix) && compareKeys(name, after) > 0) {
      yield name;
    }
  }
}

/** Whole names; those of folders end with a slash, which also gives them their place in the order of keys. */
async function entries(root: string, folder: string): Promise<string[]> {
  try {
    const found = await readdir(join(root, folder), { withFileTypes: true });
    return found
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => folder + entry.name + (entry.isDirectory() ? "/" : ""))
      .sort(compareKeys);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
