import { isRefName, type ObjectFormat } from "@holdall/git-protocol";
import { StorageError, type ObjectKey, type ObjectStat, type ObjectStore } from "@holdall/object-store/open";
import { around, HEAD_KEY, isBundleKey, pieceAt, REFS_PREFIX } from "./layout.ts";

/** One bundle: a ref's value, with all that it reaches. */
export interface BundleEntry {
  readonly ref: string;
  /** By the name of the object. What the bundle calls it inside is the name that its pusher had for it. */
  readonly oid: string;
  readonly key: ObjectKey;
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: Date;
}

interface LockEntry {
  readonly ref: string;
  readonly key: ObjectKey;
  readonly etag: string;
  readonly modifiedAt: Date;
}

/** A repository in the layout of git-remote-s3, or a part of it, as it was listed. */
export interface BundleListing {
  readonly objectFormat: ObjectFormat;
  /** What `HEAD` says, whether or not that branch is there. Undefined when it says nothing, or was not asked. */
  readonly head: string | undefined;
  /** Of each ref the newest bundle, which is its value; in the order of the names. */
  readonly refs: ReadonlyMap<string, BundleEntry>;
  /** What else refs have that should have one bundle: newest first. */
  readonly older: ReadonlyMap<string, readonly BundleEntry[]>;
  readonly protectedRefs: ReadonlySet<string>;
  readonly locks: readonly LockEntry[];
  /** Refs with a `repo.zip`. */
  readonly archives: ReadonlySet<string>;
  /** Bundles of which no ref can be made: of names that are none, or of the other object format. */
  readonly strange: readonly ObjectKey[];
}

/** Whether there is any bundle. */
export async function hasBundles(store: ObjectStore): Promise<boolean> {
  for await (const { key } of store.list(REFS_PREFIX)) if (pieceAt(key)?.kind === "bundle") return true;
  return false;
}

/** The whole repository. */
export async function readBundles(store: ObjectStore): Promise<BundleListing> {
  const [head, listing] = await Promise.all([readHead(store), collect(store.list(REFS_PREFIX))]);
  return { ...listing, head };
}

/** What a change of this ref depends on: itself, and the refs that it could be below or that could be below it. */
export async function readAround(store: ObjectStore, ref: string): Promise<BundleListing> {
  return await collect(store.list(around(ref)));
}

/** The most that is read of what should be one name, in bytes. */
const MOST_HEAD = 4096;

/** What `HEAD` says; undefined where there is none, or no name of a ref in it. */
export async function readHead(store: ObjectStore): Promise<string | undefined> {
  try {
    const { body } = await store.get(HEAD_KEY);
    let text = "";
    for await (const chunk of body) {
      text += Buffer.from(chunk).toString();
      if (text.length > MOST_HEAD) return undefined;
    }
    // As git-remote-s3 writes it, or as git does: after an import both may read it.
    const name = text.trim().replace(/^ref: */, "");
    return isRefName(name) ? name : undefined;
  } catch (error) {
    if (error instanceof StorageError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** The branch that clones begin with: as `HEAD` says, or, where that does not help, as one would guess. */
export function headOf({ head, refs }: Pick<BundleListing, "head" | "refs">): string | undefined {
  const branches = [...refs.keys()].filter((ref) => ref.startsWith("refs/heads/"));
  const guess = [head, "refs/heads/main", "refs/heads/master"].find((ref) => ref !== undefined && refs.has(ref));
  return guess ?? (branches.length === 1 ? branches[0] : undefined);
}

/** All bundles that a ref has, its value first. */
export function bundlesOf({ refs, older }: Pick<BundleListing, "refs" | "older">, ref: string): BundleEntry[] {
  const newest = refs.get(ref);
  return newest === undefined ? [] : [newest, ...(older.get(ref) ?? [])];
}

async function collect(stats: AsyncIterable<ObjectStat>): Promise<BundleListing> {
  const found: Record<ObjectFormat, Map<string, BundleEntry[]>> = { sha1: new Map(), sha256: new Map() };
  const protectedRefs = new Set<string>();
  const archives = new Set<string>();
  const locks: LockEntry[] = [];
  const strange: ObjectKey[] = [];
  for await (const { key, size, etag, modifiedAt } of stats) {
    const piece = pieceAt(key);
    if (piece === undefined) {
      if (isBundleKey(key)) strange.push(key);
      continue;
    }
    const { ref } = piece;
    if (piece.kind === "bundle") {
      const entry = { ref, oid: piece.oid, key, size, etag, modifiedAt };
      const same = found[piece.format].get(ref);
      if (same === undefined) found[piece.format].set(ref, [entry]);
      else same.push(entry);
    } else if (piece.kind === "lock") locks.push({ ref, key, etag, modifiedAt });
    else (piece.kind === "protection" ? protectedRefs : archives).add(ref);
  }
  // Nobody can fetch both into one repository.
  const objectFormat = found.sha1.size === 0 && found.sha256.size > 0 ? "sha256" : "sha1";
  if (objectFormat === "sha1") strange.push(...[...found.sha256.values()].flat().map(({ key }) => key));
  const refs = new Map<string, BundleEntry>();
  const older = new Map<string, readonly BundleEntry[]>();
  for (const [ref, entries] of [...found[objectFormat]].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [newest, ...rest] = entries.toSorted(byAge);
    if (newest !== undefined) refs.set(ref, newest);
    if (rest.length > 0) older.set(ref, rest);
  }
  return { objectFormat, head: undefined, refs, older, protectedRefs, locks, archives, strange };
}

/** Newest first, and within the second that stores tell times by, in the order of git-remote-s3. */
function byAge(a: BundleEntry, b: BundleEntry): number {
  return b.modifiedAt.getTime() - a.modifiedAt.getTime() || (a.key < b.key ? 1 : -1);
}
