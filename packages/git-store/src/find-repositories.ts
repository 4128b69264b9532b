import { parseKey, type ObjectStore } from "@holdall/object-store/open";
import { MANIFEST_KEY } from "./keys.ts";

/** Where a repository is, and how it is kept: as this package does, or as git-remote-s3. */
export interface FoundRepository {
  /** Its folder within the store, without slashes at the ends; empty for the root. */
  readonly path: string;
  readonly layout: "packs" | "bundles";
}

/** A repository of git-remote-s3 has nothing but these that would tell it from other things. */
const BUNDLE = /^(?:(.*?)\/)?refs\/.+\/(?:[0-9a-f]{40}|[0-9a-f]{64})\.bundle$/s;

/** After so many keys of a repository, what is left of them is jumped over instead of read. */
const JUMP_AFTER = 500;

/**
 * All repositories in a store, in the order of their keys. None is looked for inside of another.
 * @throws StorageError
 */
export async function* findRepositories(store: ObjectStore): AsyncGenerator<FoundRepository> {
  let after: string | undefined;
  for (;;) {
    const jumped = yield* findFrom(store, after);
    if (jumped === undefined) return;
    after = jumped;
  }
}

/** @returns after which key to go on, when it is worth to jump; undefined at the end */
async function* findFrom(
  store: ObjectStore,
  after: string | undefined,
): AsyncGenerator<FoundRepository, string | undefined> {
  /** The repository or folder that was looked at last, with its slash. */
  let inside: string | undefined;
  const looked = new Set<string>();
  const repositoryOf = async (key: string): Promise<FoundRepository | undefined> => {
    for (const path of foldersOf(key)) {
      // A file called HEAD or config may be anybody's.
      if (!looked.has(path) && (await isThere(store, path === "" ? "" : `${path}/`))) return { path, layout: "packs" };
      looked.add(path);
    }
    const bundle = BUNDLE.exec(key);
    return bundle === null ? undefined : { path: bundle[1] ?? "", layout: "bundles" };
  };
  let skipped = 0;
  for await (const { key } of store.list("", after === undefined ? {} : { after })) {
    if (inside !== undefined && key.startsWith(inside)) {
      skipped += 1;
      if (skipped < JUMP_AFTER) continue;
      // The next character after the slash: nothing inside comes after it.
      return inside === "" ? undefined : `${inside.slice(0, -1)}0`;
    }
    skipped = 0;
    inside = undefined;
    const found = await repositoryOf(key);
    if (found === undefined) continue;
    yield found;
    inside = found.path === "" ? "" : `${found.path}/`;
  }
  return undefined;
}

/** The folders that may be a repository, of which this is one of the first keys. */
function foldersOf(key: string): readonly string[] {
  const segments = key.split("/");
  return segments.flatMap((segment, index) => {
    const isLast = index === segments.length - 1;
    const isSign = isLast ? segment === "HEAD" || segment === "config" : segment === "holdall";
    return isSign ? [segments.slice(0, index).join("/")] : [];
  });
}

async function isThere(store: ObjectStore, folder: string): Promise<boolean> {
  return (await store.stat(parseKey(folder + MANIFEST_KEY))) !== undefined;
}
