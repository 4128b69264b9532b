import { randomBytes } from "node:crypto";
import { GitStoreError } from "@holdall/git-store";
import { StorageError, type ObjectKey, type ObjectStore } from "@holdall/object-store/open";
import { deleteVersion } from "./delete-version.ts";
import type { BundleRepair } from "./doctor.ts";
import { bundleKey } from "./layout.ts";
import { bundlesOf, readAround, type BundleEntry } from "./listing.ts";
import { breakLock, RefLock, requireRemoval, type LockOptions } from "./lock.ts";
import { setHead } from "./manage.ts";

/** What was done. */
export interface RepairReport {
  /** Bundles that are the value of a new ref now. */
  readonly moved: readonly { readonly oid: string; readonly ref: string }[];
  readonly removed: readonly ObjectKey[];
}

/**
 * Does one thing of a plan, if all is still as it was found.
 * @throws GitStoreError `contended` when it is not, or somebody holds the lock; `refused`, `unsupported`; StorageError
 */
export async function repair(store: ObjectStore, what: BundleRepair, o: LockOptions = {}): Promise<RepairReport> {
  switch (what.kind) {
    case "keep-bundle":
      return await keepBundle(store, what, o);
    case "break-lock":
      return { moved: [], removed: [await breakLock(store, what.ref, { etag: what.etag, ...o })] };
    case "set-head":
      await setHead(store, what.head);
      return { moved: [], removed: [] };
    case "remove-upload":
      await deleteVersion(store, what);
      return { moved: [], removed: [what.key] };
  }
}

async function keepBundle(
  store: ObjectStore,
  { ref, keep, found, remove }: BundleRepair & { readonly kind: "keep-bundle" },
  o: LockOptions,
): Promise<RepairReport> {
  await requireRemoval(store);
  const lock = await RefLock.acquire(store, ref, o);
  try {
    const there = bundlesOf(await readAround(store, ref), ref);
    const isSame = there.length === found.length && there.every(({ oid }) => found.includes(oid));
    if (!isSame || !found.includes(keep)) {
      throw new GitStoreError("contended", `${ref} has other bundles than were found: look again`);
    }
    const moved: { oid: string; ref: string }[] = [];
    const removed: ObjectKey[] = [];
    for (const entry of there.filter(({ oid }) => oid !== keep)) {
      if (!remove.includes(entry.oid)) moved.push({ oid: entry.oid, ref: await branchOff(store, entry) });
      await lock.confirm();
      await deleteVersion(store, entry);
      removed.push(entry.key);
    }
    return { moved, removed };
  } finally {
    await lock.release();
  }
}

/** Gives what a bundle has a ref of its own, called as git-remote-s3 would call it. @returns its name */
async function branchOff(store: ObjectStore, { ref, oid, key, etag }: BundleEntry): Promise<string> {
  const branch = `${ref}_${randomBytes(4).toString("hex")}`;
  const target = bundleKey(branch, oid);
  try {
    await store.copy(key, target, { fromEtag: etag, ifAbsent: true });
  } catch (error) {
    // Nobody else comes upon this name: if it is there, it came from us.
    if (!(error instanceof StorageError) || (await store.stat(target)) === undefined) throw error;
  }
  return branch;
}
