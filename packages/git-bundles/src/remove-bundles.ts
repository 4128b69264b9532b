import { GitStore, GitStoreError, Packs, type Manifest } from "@holdall/git-store";
import type { ObjectStore } from "@holdall/object-store/open";
import { deleteVersion } from "./delete-version.ts";
import { requireUnlocked } from "./import.ts";
import { markKey } from "./layout.ts";
import { readBundles, type BundleEntry } from "./listing.ts";
import { Scratch } from "./scratch.ts";

export interface RemovalOptions {
  /** Whose root is both: the repository of git-store, and the bundles that it was imported from. */
  readonly store: ObjectStore;
  /** Bundles, by their oids, that may go though nothing in the repository reaches what they have. */
  readonly discard?: ReadonlySet<string>;
  readonly onRemoved?: (entry: BundleEntry) => void;
}

/**
 * Removes the bundles from which a repository was imported in place, after it was read anew and has all that they have: what was
 * pushed to them since, and was not imported, makes this refuse.
 * @returns how many bundles, of how many bytes
 * @throws GitStoreError `refused`, `contended`, `corrupt`; StorageError
 */
export async function removeBundles(o: RemovalOptions): Promise<{ readonly bundles: number; readonly bytes: number }> {
  const { store } = o;
  const manifest = (await new GitStore(store).read())?.manifest;
  if (manifest === undefined || manifest.refs.size === 0) {
    throw new GitStoreError("refused", "the bundles are all there is: import them first");
  }
  const listing = await readBundles(store);
  requireUnlocked(listing.locks);
  const entries = [...listing.refs.values(), ...[...listing.older.values()].flat()];
  await requireKnown(
    store,
    manifest,
    entries.filter(({ oid }) => o.discard?.has(oid) !== true),
  );
  for (const entry of entries) {
    await deleteVersion(store, entry);
    o.onRemoved?.(entry);
  }
  for (const ref of listing.archives) await store.delete(markKey(ref, "archive"));
  for (const ref of listing.protectedRefs) await store.delete(markKey(ref, "protection"));
  return { bundles: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) };
}

/** @throws GitStoreError `refused` when the repository does not reach what one of them has */
async function requireKnown(store: ObjectStore, manifest: Manifest, entries: readonly BundleEntry[]): Promise<void> {
  const { objectFormat: format, refs, packs } = manifest;
  await using copy = await Scratch.create(format);
  const [stored, folder] = [new Packs(store), await copy.git.packFolder()];
  for (const entry of packs) await stored.fetch(entry, folder, { format, keep: "verification" });
  await copy.check(refs, "the repository");
  const here = await copy.git.typesOf(new Set(entries.map(({ oid }) => oid)));
  for (const { oid, ref } of entries) {
    const args = ["rev-list", "--objects", "--stdin", "--not", "--all"];
    const isKnown = here.has(oid) && (await copy.git.run(args, [oid])) === "";
    if (isKnown) continue;
    throw new GitStoreError(
      "refused",
      `the bundle ${oid} of ${ref} has what the repository does not reach: it was pushed since the import, or the branch was ` +
        "deleted or forced since; nothing was removed",
    );
  }
}
