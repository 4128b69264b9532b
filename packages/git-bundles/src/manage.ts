import { GitStoreError } from "@holdall/git-store";
import type { ObjectStore } from "@holdall/object-store/open";
import { changeRef } from "./change-ref.ts";
import { putHead } from "./head.ts";
import { markKey } from "./layout.ts";
import { readAround, readHead, type BundleListing } from "./listing.ts";
import { requireRemoval, type LockOptions } from "./lock.ts";

/** From now on the ref only goes forward. @param ref its full name. @throws GitStoreError `refused` when it is not there */
export async function protectRef(store: ObjectStore, ref: string): Promise<void> {
  requireRef(await readAround(store, ref), ref);
  await store.put(markKey(ref, "protection"), nothing(), { size: 0 });
}

/** From now on the ref may be forced and deleted. @throws GitStoreError `refused` when it was not protected */
export async function unprotectRef(store: ObjectStore, ref: string): Promise<void> {
  if (!(await readAround(store, ref)).protectedRefs.has(ref)) throw refused(`${ref} is not protected`);
  await store.delete(markKey(ref, "protection"));
}

/** Makes another branch the one that clones begin with. @throws GitStoreError `refused` when it is not there */
export async function setHead(store: ObjectStore, ref: string): Promise<void> {
  if (!ref.startsWith("refs/heads/")) throw refused(`${ref} is no branch`);
  requireRef(await readAround(store, ref), ref);
  await putHead(store, ref);
}

/**
 * Deletes a ref with its bundle and its zip. Refs below it, which git-remote-s3's own command takes along, stay.
 * @throws GitStoreError `refused` when it is not there, protected, the one that clones begin with, or has several bundles
 */
export async function deleteRef(store: ObjectStore, ref: string, o: LockOptions = {}): Promise<void> {
  await requireRemoval(store);
  const refuse = async (now: BundleListing): Promise<string | undefined> => {
    requireRef(now, ref);
    if (now.protectedRefs.has(ref)) return `${ref} is protected: take that away first (unprotect)`;
    if ((await readHead(store)) !== ref) return undefined;
    return `${ref} is the branch that clones begin with: make another one that first (set-head)`;
  };
  const change = { ref, to: undefined, refuse, contains: async () => false, warn: () => undefined };
  const why = await changeRef(store, change, o);
  if (why !== undefined) throw refused(why);
}

function requireRef({ refs }: BundleListing, ref: string): void {
  if (!refs.has(ref)) throw refused(`there is no ${ref}`);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function refused(message: string): GitStoreError {
  return new GitStoreError("refused", message);
}
