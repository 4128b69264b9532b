import { rm } from "node:fs/promises";
import { GitStoreError, type LocalGit } from "@holdall/git-store";
import { StorageError, type ObjectStore } from "@holdall/object-store/open";
import { openBundle } from "./bundle-file.ts";
import { indexPack, type Destination } from "./index-pack.ts";
import { headOf, readBundles, type BundleEntry, type BundleListing } from "./listing.ts";

const AT_ONCE = 4;

/** How often the repository is listed anew for a bundle that was replaced while we looked. */
const LOOKS = 3;

export interface BundleFetch extends Destination {
  readonly store: ObjectStore;
  /** Bundles on their way at once. */
  readonly atOnce?: number;
  /** Is told when a bundle is on its way, and when it is not needed. */
  readonly onBundle?: (entry: BundleEntry, how: "fetched" | "known") => void;
}

interface Fetching extends BundleFetch {
  /** Gets the `.keep` files that are there, also when something else fails. */
  readonly kept: string[];
}

/** Puts the objects of one bundle into a repository. @throws StorageError `not-found` when it is gone */
async function fetchBundle(entry: BundleEntry, format: BundleListing["objectFormat"], o: Fetching): Promise<void> {
  const { body } = await o.store.get(entry.key);
  const { pack } = await openBundle(body, { what: entry.key, format });
  const kept = await indexPack(pack, o);
  if (kept !== undefined) o.kept.push(kept);
}

/**
 * Makes these objects, and all that they reach, be in a repository. Each bundle has the whole history of its ref: so the one that
 * most likely has the others' too comes first, and what is there by then is not fetched.
 * @param listing in which they were found
 * @returns the `.keep` files
 * @throws GitStoreError `corrupt` for bundles that are none, or lack what they are named after; `contended` when refs move away
 *   faster than they can be fetched; StorageError; GitError
 */
export async function fetchBundles(
  wants: readonly string[],
  listing: BundleListing,
  o: BundleFetch,
): Promise<readonly string[]> {
  const kept: string[] = [];
  try {
    await fetchListed(wants, listing, { ...o, kept });
  } catch (error) {
    // Nobody would remove them, and git would never clear up what they are for.
    await Promise.all(kept.map((path) => rm(path, { force: true })));
    throw error;
  }
  return kept;
}

async function fetchListed(wants: readonly string[], listing: BundleListing, o: Fetching): Promise<void> {
  const done: string[] = [];
  const fetchOne = async (oid: string, from: BundleEntry): Promise<void> => {
    const known = await isThere(o.git, oid, done);
    o.onBundle?.(from, known ? "known" : "fetched");
    if (!known) await fetchBundle(from, listing.objectFormat, o);
    if ((await o.git.typesOf([oid])).size === 0) throw lacking(from);
    done.push(oid);
  };
  const replaced: string[] = [];
  const [first, ...rest] = inOrder(wants, listing, replaced);
  const worker = async (entries: Iterable<BundleEntry>): Promise<void> => {
    for (const entry of entries) {
      try {
        await fetchOne(entry.oid, entry);
      } catch (error) {
        if (!(error instanceof StorageError && error.code === "not-found")) throw error;
        replaced.push(entry.oid);
      }
    }
  };
  if (first !== undefined) await worker([first]);
  const waiting = rest.values();
  const outcomes = await Promise.allSettled(Array.from({ length: o.atOnce ?? AT_ONCE }, () => worker(waiting)));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  if (replaced.length > 0) await fetchReplaced(replaced, listing, o);
}

/** Somebody has pushed since the listing. What a ref has now, which is fetched too, has usually grown from what it had. */
async function fetchReplaced(wants: readonly string[], before: BundleListing, o: Fetching): Promise<void> {
  let missing = wants;
  let listing = before;
  for (let look = 1; look <= LOOKS; look += 1) {
    const refs = refsWith(missing, listing);
    listing = await readBundles(o.store);
    for (const entry of listing.refs.values()) {
      if (!refs.has(entry.ref) && !missing.includes(entry.oid)) continue;
      try {
        if (!(await isThere(o.git, entry.oid, []))) await fetchBundle(entry, listing.objectFormat, o);
      } catch (error) {
        if (!(error instanceof StorageError && error.code === "not-found")) throw error;
      }
    }
    const still = [];
    for (const oid of missing) if (!(await isThere(o.git, oid, []))) still.push(oid);
    if (still.length === 0) return;
    missing = still;
  }
  throw new GitStoreError(
    "contended",
    `${missing.join(", ")} is no longer in the repository: somebody has moved the ref meanwhile; try again`,
  );
}

function refsWith(oids: readonly string[], { refs }: BundleListing): Set<string> {
  return new Set([...refs.values()].flatMap(({ ref, oid }) => (oids.includes(oid) ? [ref] : [])));
}

/** One bundle for each object: the head's first, then branches, then the rest, the largest first. */
function inOrder(wants: readonly string[], listing: BundleListing, unknown: string[]): BundleEntry[] {
  const byOid = new Map([...listing.refs.values()].toReversed().map((entry) => [entry.oid, entry]));
  const head = listing.refs.get(headOf(listing) ?? "")?.oid;
  const rank = ({ oid, ref }: BundleEntry): number => (oid === head ? 0 : ref.startsWith("refs/heads/") ? 1 : 2);
  const entries = [...new Set(wants)].flatMap((oid) => {
    const entry = byOid.get(oid);
    if (entry === undefined) unknown.push(oid);
    return entry ?? [];
  });
  return entries.toSorted((a, b) => rank(a) - rank(b) || b.size - a.size);
}

/** Whether the object and all that it reaches is there. @param done objects that are, with all that they reach */
async function isThere(git: LocalGit, oid: string, done: readonly string[]): Promise<boolean> {
  if ((await git.typesOf([oid])).size === 0) return false;
  const known = done.map((one) => `^${one}`);
  const args = ["rev-list", "--objects", "--quiet", "--missing=print", "--stdin", "--not", "--all"];
  const { code, stdout } = await git.tryRun(args, [oid, ...known]);
  return code === 0 && stdout === "";
}

function lacking({ key, oid }: BundleEntry): GitStoreError {
  return new GitStoreError("corrupt", `${key} does not have the object ${oid} that it is named after`);
}
