import { createReadStream } from "node:fs";
import { randomUUID } from "node:crypto";
import { GitStore, GitStoreError } from "@holdall/git-store";
import {
  parseKey,
  StorageError,
  type ObjectKey,
  type ObjectStore,
  type ObjectVersion,
} from "@holdall/object-store/open";
import { deleteVersion } from "./delete-version.ts";
import { bundleKey, markKey, UPLOADS_PREFIX } from "./layout.ts";
import { bundlesOf, readAround, type BundleEntry, type BundleListing } from "./listing.ts";
import { RefLock, type LockOptions } from "./lock.ts";

const READ_SIZE = 1024 * 1024;

/** How often the removal of what was replaced is tried. */
const REMOVALS = 3;

/** A zip of a commit's files, for programs that take one (AWS CodePipeline). */
export interface Archive {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly oid: string;
  /** What the commit is about, in one line. */
  readonly summary: string;
}

export interface RefChange {
  readonly ref: string;
  /** Undefined: the ref is to go. */
  readonly to: { readonly oid: string; readonly from: ObjectVersion } | undefined;
  /** Decides, when nobody else can change the ref any more, why it may not be changed. */
  readonly refuse: (now: BundleListing) => Promise<string | undefined>;
  /** Whether what one bundle is named after is all in another's history, as far as that is known here. */
  readonly contains: (ancestor: string, descendant: string) => Promise<boolean>;
  readonly archive?: Archive | undefined;
  /** Is told of what went wrong after the change was made. */
  readonly warn: (text: string) => void;
}

/** Puts a bundle where nobody looks, for {@link changeRef} to publish in one step. */
export async function uploadBundle(
  store: ObjectStore,
  { path, size }: { readonly path: string; readonly size: number },
): Promise<ObjectVersion> {
  const key = parseKey(`${UPLOADS_PREFIX}${randomUUID()}.bundle`);
  return await store.put(key, createReadStream(path, { highWaterMark: READ_SIZE }), { size, contentType: BUNDLE_TYPE });
}

const BUNDLE_TYPE = "application/x-git-bundle";

/**
 * Moves one ref, under its lock: the new bundle appears in one step, then the old one goes (docs/design/bundles.md, "Push").
 * Killed in between, it leaves both, of which the newer is the value, and a lock that becomes stale.
 * @returns why it was refused; undefined when it is done
 * @throws GitStoreError `contended`, `unsupported`; StorageError, `not-found` when what was to be copied is gone
 */
export async function changeRef(store: ObjectStore, change: RefChange, o: LockOptions): Promise<string | undefined> {
  const lock = await RefLock.acquire(store, change.ref, { ...o, size: change.to?.from.size ?? 0 });
  try {
    return await changeLocked(store, change, lock);
  } finally {
    await lock.release();
  }
}

async function changeLocked(store: ObjectStore, change: RefChange, lock: RefLock): Promise<string | undefined> {
  const { ref, to } = change;
  const now = await readAround(store, ref);
  const there = bundlesOf(now, ref);
  const refused = (await change.refuse(now)) ?? (await whySeveral(there, change));
  if (refused !== undefined) return refused;
  const isNew = to !== undefined && !there.some(({ oid }) => oid === to.oid);
  const placed = isNew ? await place(store, to.from, bundleKey(ref, to.oid)) : undefined;
  try {
    await lock.confirm();
    // An import looks for locks and bundles before it publishes, so whoever looks for it in between is seen, or sees it.
    if ((await new GitStore(store).read()) !== undefined) {
      if (placed !== undefined) await takeBack(store, placed);
      return "the repository was imported meanwhile: fetch, then push again";
    }
    // The value last: until it goes, the ref is what it was.
    const old = there.filter(({ oid }) => oid !== to?.oid).toReversed();
    if (to !== undefined) return await replace(store, old, { ...change, to }, lock);
    for (const entry of old) {
      await lock.confirm();
      await remove(store, entry);
    }
  } catch (error) {
    if (placed !== undefined) await withdraw(store, placed, { ref, there });
    throw error;
  }
  if (now.archives.has(ref)) await store.delete(markKey(ref, "archive"));
  return undefined;
}

/** The new value is there: removes the old ones. @returns why it does not count yet; undefined when it does */
async function replace(
  store: ObjectStore,
  old: readonly BundleEntry[],
  { ref, to, archive, warn }: RefChange & { readonly to: NonNullable<RefChange["to"]> },
  lock: RefLock,
): Promise<string | undefined> {
  let isLeft = false;
  for (const entry of old) {
    await lock.confirm();
    try {
      await remove(store, entry);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      isLeft = true;
      warn(
        `${entry.key} is still there (${error.message}), which ${to.oid} replaces; the next push to ${ref} removes it`,
      );
    }
  }
  // By its age, which is that of the object that was copied in some stores, the old one may still be the value.
  if (isLeft && bundlesOf(await readAround(store, ref), ref)[0]?.oid !== to.oid) {
    return `what ${ref} was could not be removed, and is still taken for its value: try again`;
  }
  if (archive !== undefined) await putArchive(store, archive, { ref, warn, lock });
  return undefined;
}

/** Several bundles are what a push leaves that was killed after its new one was there, or two at once without a lock. */
async function whySeveral(
  there: readonly BundleEntry[],
  { ref, to, contains }: RefChange,
): Promise<string | undefined> {
  const [value, ...older] = there;
  if (value === undefined) return undefined;
  for (const { oid } of older) {
    const inValue = await contains(oid, value.oid);
    if (!inValue && (to === undefined || !(await contains(oid, to.oid)))) {
      return `${ref} has several bundles, and one of them is nowhere else: repair the repository first (holdall repo doctor)`;
    }
  }
  return undefined;
}

/** Only a copy that did not replace anything is ours to withdraw. */
async function place(store: ObjectStore, from: ObjectVersion, to: ObjectKey): Promise<ObjectVersion> {
  try {
    return await store.copy(from.key, to, { fromEtag: from.etag, ifAbsent: true });
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    // No answer came, or a late one, by when what was to be copied may be gone: we hold the lock, so what is there came from us.
    const there = await store.stat(to);
    if (there?.size === from.size) return there;
    throw error.code === "conflict" ? vanished(from, error) : error;
  }
}

function vanished({ key }: ObjectVersion, cause: StorageError): StorageError {
  return new StorageError("not-found", `${key} was replaced before it could be copied`, { cause });
}

/** The lock was lost, and perhaps somebody else has changed the ref since: then our bundle would be one too many. */
async function withdraw(
  store: ObjectStore,
  placed: ObjectVersion,
  { ref, there }: { readonly ref: string; readonly there: readonly BundleEntry[] },
): Promise<void> {
  const known = new Set([placed.key, ...there.map(({ key }) => key)]);
  const now = bundlesOf(await readAround(store, ref), ref);
  if (!now.every(({ key }) => known.has(key))) await takeBack(store, placed);
}

async function takeBack(store: ObjectStore, placed: ObjectVersion): Promise<void> {
  try {
    await deleteVersion(store, placed);
  } catch (error) {
    // Whoever has the lock now has replaced it.
    if (!(error instanceof StorageError && error.code === "conflict")) throw error;
  }
}

/** @throws StorageError when it is still there, or something else in its place */
async function remove(store: ObjectStore, entry: BundleEntry): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await deleteVersion(store, entry);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.retryable && attempt < REMOVALS) continue;
      // An earlier attempt may have come through.
      if ((await store.stat(entry.key)) === undefined) return;
      throw error;
    }
  }
}

/** As git-remote-s3 describes one. What goes wrong takes nothing from the push. */
async function putArchive(
  store: ObjectStore,
  { path, size, oid, summary }: Archive,
  { ref, warn, lock }: { readonly ref: string; readonly warn: RefChange["warn"]; readonly lock: RefLock },
): Promise<void> {
  try {
    await lock.confirm();
    await store.put(markKey(ref, "archive"), createReadStream(path, { highWaterMark: READ_SIZE }), {
      size,
      contentDisposition: `attachment; filename=repo-${oid.slice(0, 8)}.zip`,
      metadata: { "codepipeline-artifact-revision-summary": summary },
    });
  } catch (error) {
    if (!(error instanceof StorageError || error instanceof GitStoreError)) throw error;
    warn(`${ref} has moved, but its repo.zip is not up to date: ${error.message}`);
  }
}
