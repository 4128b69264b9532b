import { StorageError, type ObjectStore } from "@holdall/object-store/open";
import { GitStoreError } from "./errors.ts";
import { collectGarbage, compact, GRACE, type Kept } from "./maintenance.ts";
import type { Manifest } from "./manifest.ts";
import { repack } from "./repack.ts";
import type { Say } from "./temporary-repository.ts";
import { staleViews, type View } from "./views.ts";

/** What maintenance has done. */
export interface Maintained {
  /** How many packs there were, and are. */
  readonly before: number;
  readonly after: number;
  /** The names of packs that nobody needed any more. */
  readonly removed: readonly string[];
  /** How many unfinished uploads were given up; undefined where the store does not let us look for them. */
  readonly uploads: number | undefined;
  /** What plain tools read and was out of date, and is not any more. */
  readonly views: readonly View[];
}

/**
 * All that has to be done for a repository from time to time, beside whoever works with it: merges packs, removes what nobody needs,
 * and finishes what crashed. It may itself be ended at any moment.
 * @param o.grace milliseconds
 * @param o.full makes one pack of all
 * @throws GitStoreError, StorageError
 */
export async function maintain(
  kept: Kept,
  o: { readonly grace?: number; readonly full?: boolean; readonly now?: Date; readonly say?: Say | undefined } = {},
): Promise<Maintained> {
  const { git, store } = kept;
  const { grace = GRACE, now: at = new Date(), say } = o;
  const now = await git.read();
  if (now === undefined) throw new GitStoreError("refused", "there is no repository");
  say?.("merging packs");
  await (o.full === true ? repack(kept, now, { grace, at, say }) : compact(kept, now));
  say?.("removing what nobody needs");
  const removed = await collectGarbage(kept, { grace, now: at });
  const uploads = await sweep(store);
  say?.("looking at what plain tools read");
  const views = await staleViews(store, await manifestOf(kept));
  if (views.length > 0) await git.refreshViews();
  const { packs } = await manifestOf(kept);
  return { before: now.manifest.packs.length, after: packs.length, removed, uploads, views };
}

async function manifestOf({ git }: Kept): Promise<Manifest> {
  const now = await git.read();
  if (now === undefined) throw new GitStoreError("refused", "there is no repository any more");
  return now.manifest;
}

/** Whoever may push need not have the right to see unfinished uploads. */
async function sweep(store: ObjectStore): Promise<number | undefined> {
  try {
    return await store.sweep();
  } catch (error) {
    if (error instanceof StorageError && (error.code === "denied" || error.code === "unsupported")) return undefined;
    throw error;
  }
}
