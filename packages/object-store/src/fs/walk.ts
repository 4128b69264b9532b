import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { compareKeys } from "../compare.ts";
import { isKey } from "../key.ts";
import { ahead } from "./ahead.ts";
import { isErrno } from "./errors.ts";

/** How many folders are read at once on each level: most hold a name or two, and the way to a thread costs more than those. */
const FOLDERS_AT_ONCE = 8;

interface Search {
  readonly root: string;
  readonly prefix: string;
  readonly after: string;
  readonly hidden: string;
}

/**
 * The names of all files below `root` that start with `prefix` and come after `after`, relative to it and with `/`, in
 * byte order. Holds the names of a few folders for each level in memory. Links are not followed.
 * @param hidden a folder directly below the root that is left out
 */
export async function* walk(root: string, prefix: string, after: string, hidden: string): AsyncGenerator<string> {
  // Folders outside the prefix are never opened: start at the deepest that all the names share.
  const start = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  // What no key starts with must not become a path either.
  if (start !== "" && !isKey(start.slice(0, -1))) return;
  yield* walkFolder(await entries(root, start), { root, prefix, after, hidden });
}

async function* walkFolder(names: readonly string[], search: Search): AsyncGenerator<string> {
  const found = ahead(
    names.filter((name) => isWanted(name, search)),
    FOLDERS_AT_ONCE,
    async (name) => (name.endsWith("/") ? await entries(search.root, name) : name),
  );
  for await (const nameOrFolder of found) {
    if (typeof nameOrFolder === "string") yield nameOrFolder;
    else yield* walkFolder(nameOrFolder, search);
  }
}

function isWanted(name: string, { prefix, after, hidden }: Search): boolean {
  if (name === `${hidden}/` || name.startsWith(`${hidden}/`)) return false;
  if (!name.endsWith("/")) return name.startsWith(prefix) && compareKeys(name, after) > 0;
  const mayMatch = name.startsWith(prefix) || prefix.startsWith(name);
  // Everything in the folder starts with its name, so it is all before `after` unless that starts so too.
  const mayFollow = compareKeys(name, after) > 0 || after.startsWith(name);
  return mayMatch && mayFollow;
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
