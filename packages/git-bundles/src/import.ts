import {
  entryOf,
  GitStore,
  GitStoreError,
  Packs,
  type Draft,
  type Manifest,
  type PackFiles,
  type RefValue,
} from "@holdall/git-store";
import type { ObjectStore } from "@holdall/object-store/open";
import { fetchBundles } from "./fetch.ts";
import { headOf, readBundles, type BundleEntry, type BundleListing } from "./listing.ts";
import { Scratch } from "./scratch.ts";

/** What an import is at. */
export type ImportStep =
  /** `known`: all that is in it has come with another one. */
  | { readonly step: "bundle"; readonly ref: string; readonly size: number; readonly known: boolean }
  | { readonly step: "pack"; readonly objects: number; readonly size: number }
  | { readonly step: "verify" }
  | { readonly step: "publish" };

export interface ImportOptions {
  /** Whose root is the repository in git-remote-s3's layout. */
  readonly from: ObjectStore;
  /** Whose root will be the repository of git-store; the same object for an import in place. */
  readonly into: ObjectStore;
  /** As git knows the person. */
  readonly by?: string | undefined;
  readonly onStep?: (step: ImportStep) => void;
}

export interface ImportReport {
  readonly generation: number;
  readonly refs: number;
  readonly head: string;
  /** Everything was there from an earlier import. */
  readonly wasThere: boolean;
  /** Bundles of which no ref can be made. They stay where they are. */
  readonly overlooked: readonly string[];
}

/**
 * Makes a repository of git-store of one in git-remote-s3's layout (docs/design/bundles.md, "Import"). What it is made from stays.
 * Nothing is published before it was read back and found to be the same; begun again after it was broken off, it ends the same.
 * @throws GitStoreError `refused` when there is nothing to import or something else already, or several bundles of a ref;
 *   `contended` when somebody is pushing; `corrupt`; StorageError; GitError
 */
export async function importBundles(o: ImportOptions): Promise<ImportReport> {
  const listing = await readBundles(o.from);
  requireImportable(listing);
  const store = new GitStore(o.into);
  const there = await store.read();
  const report = (generation: number, head: string, wasThere: boolean): ImportReport => ({
    generation,
    refs: listing.refs.size,
    head,
    wasThere,
    overlooked: listing.strange,
  });
  if (there !== undefined && there.manifest.refs.size > 0) {
    requireSame(there.manifest, listing);
    o.onStep?.({ step: "verify" });
    await verify(o.into, there.manifest.packs, listing);
    return report(there.manifest.generation, there.manifest.head, true);
  }
  await using scratch = await Scratch.create(listing.objectFormat);
  const { refs, files } = await gather(scratch, listing, o);
  const bring = async (): Promise<void> => {
    await new Packs(o.into).put(files);
    o.onStep?.({ step: "verify" });
    await verify(o.into, [entryOf(files)], listing);
    requireUnchanged(listing, await readBundles(o.from));
    o.onStep?.({ step: "publish" });
  };
  const log = { what: "create", ...(o.by === undefined ? {} : { by: o.by }) } as const;
  const make = (now: Manifest | undefined): Draft => draft(now, { listing, refs, files });
  const after = await store.commit({ log, make }, there, bring);
  const { generation, head } = (after ?? (await store.read()))?.manifest ?? {};
  if (generation === undefined || head === undefined) throw new GitStoreError("corrupt", "the repository has vanished");
  return report(generation, head, false);
}

/** All that the bundles have, in one pack. */
async function gather(
  scratch: Scratch,
  listing: BundleListing,
  { from: store, onStep }: ImportOptions,
): Promise<{ readonly refs: ReadonlyMap<string, RefValue>; readonly files: PackFiles }> {
  const { git } = scratch;
  const wants = [...listing.refs.values()].map(({ oid }) => oid);
  const onBundle = ({ ref, size }: BundleEntry, how: "fetched" | "known"): void =>
    onStep?.({ step: "bundle", ref, size, known: how === "known" });
  await fetchBundles(wants, listing, { store, git, onBundle, atOnce: 1 });
  const refs = await scratch.check(listing.refs, "what the bundles have");
  const files = await git.makePack(await scratch.made("pack"), { wants: new Set(wants), haves: [] });
  if (files === undefined) throw new GitStoreError("corrupt", "the bundles are empty");
  onStep?.({ step: "pack", objects: files.objects, size: files.size });
  return { refs, files };
}

function draft(
  now: Manifest | undefined,
  { listing, refs, files }: { listing: BundleListing; refs: ReadonlyMap<string, RefValue>; files: PackFiles },
): Draft {
  // Somebody else was faster; whoever imports again will see whether it is the same.
  if (now !== undefined && now.refs.size > 0)
    throw new GitStoreError("contended", "somebody else has just imported it");
  if (now?.deleting.includes(files.name) === true)
    throw new GitStoreError("contended", "maintenance is just removing the pack that was made: try again");
  return {
    next: {
      objectFormat: listing.objectFormat,
      head: headOf(listing) ?? "refs/heads/main",
      refs,
      packs: [entryOf(files)],
      retired: now?.retired ?? [],
      deleting: now?.deleting ?? [],
      rules: [...listing.protectedRefs].map((ref) => ({ refs: ref, deny: ["force", "delete"] })),
    },
    updates: [...refs].map(([ref, { oid }]) => ({ ref, to: oid })),
  };
}

/** Reads the packs back, as somebody who clones would, and has git look. */
async function verify(store: ObjectStore, packs: Manifest["packs"], listing: BundleListing): Promise<void> {
  await using copy = await Scratch.create(listing.objectFormat);
  const [stored, folder] = [new Packs(store), await copy.git.packFolder()];
  for (const entry of packs) await stored.fetch(entry, folder, { format: listing.objectFormat, keep: "verification" });
  await copy.check(listing.refs, "what was stored");
}

function requireImportable({ refs, older, locks }: BundleListing): void {
  if (refs.size === 0) throw refused("there are no bundles of git-remote-s3 here");
  requireUnlocked(locks);
  const [several] = older.keys();
  if (several !== undefined) {
    throw refused(`${several} has several bundles: say first which of them it is to be (holdall repo doctor)`);
  }
  for (const ref of refs.keys()) {
    const parts = ref.split("/");
    const above = parts.map((_, end) => parts.slice(0, end).join("/")).find((name) => refs.has(name));
    if (above !== undefined) throw refused(`git cannot have both ${above} and ${ref}: delete one of them first`);
  }
}

export function requireUnlocked(locks: BundleListing["locks"]): void {
  const [lock] = locks;
  if (lock === undefined) return;
  throw new GitStoreError(
    "contended",
    `somebody has been pushing to ${lock.ref} since ${lock.modifiedAt.toISOString()}: try again when they are done; ` +
      "if they have died, remove the lock first (holdall repo doctor)",
  );
}

function requireSame({ refs }: Manifest, listing: BundleListing): void {
  const names = new Set([...refs.keys(), ...listing.refs.keys()]);
  const different = [...names].find((ref) => refs.get(ref)?.oid !== listing.refs.get(ref)?.oid);
  if (different === undefined) return;
  throw refused(
    `there is a repository already, in which ${different} is another than in the bundles: nothing was imported`,
  );
}

function requireUnchanged(before: BundleListing, now: BundleListing): void {
  requireUnlocked(now.locks);
  if (stateOf(before) === stateOf(now)) return;
  throw new GitStoreError("contended", "somebody has pushed to the bundles meanwhile: nothing was imported; try again");
}

function stateOf({ refs, older, protectedRefs, head }: BundleListing): string {
  const bundles = [...refs.values(), ...[...older.values()].flat()].map(({ key }) => key);
  return JSON.stringify([bundles, [...protectedRefs].toSorted(), head]);
}

function refused(message: string): GitStoreError {
  return new GitStoreError("refused", message);
}
