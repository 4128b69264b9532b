import { GitStoreError } from "./errors.ts";
import type { Draft } from "./change.ts";
import type { Snapshot } from "./git-store.ts";
import { history, historyByParts } from "./history.ts";
import { GitError } from "./local-git.ts";
import { GRACE, replaced, type Kept } from "./maintenance.ts";
import type { Manifest } from "./manifest.ts";
import { entryOf, Packs, type PackFiles } from "./packs.ts";
import { TemporaryRepository, type Say } from "./temporary-repository.ts";

/** By how much a clock of those who push may be wrong, in milliseconds. */
const CLOCKS_DIFFER = 24 * 3_600_000;

/**
 * Makes one pack in the place of all, of what refs reach, or have reached within the grace period: who pushes at this moment may
 * build on any of it. What else there was stays in the retired packs for a grace period more.
 * @param now as it was read
 * @param o.grace milliseconds
 * @param o.at the time
 * @returns the state afterwards; undefined when there was nothing to do, or others have changed what it would be made of
 * @throws GitStoreError `corrupt` when something is missing; StorageError
 */
export async function repack(
  { git, store }: Kept,
  now: Snapshot,
  o: { readonly grace?: number; readonly at?: Date; readonly say?: Say | undefined } = {},
): Promise<Snapshot | undefined> {
  const { packs, objectFormat, refs, generation } = now.manifest;
  if (packs.length === 0) return undefined;
  const since = (o.at ?? new Date()).getTime() - (o.grace ?? GRACE);
  await using repository = await TemporaryRepository.create(store, objectFormat);
  await repository.fetch(packs, { say: o.say });
  o.say?.("packing");
  const current = [...refs.values()].map(({ oid }) => oid);
  const recent = await repository.complete(
    await Array.fromAsync(valuesSince({ git, store }, now.manifest, since)),
    current,
  );
  const files = await packed(repository, [...current, ...recent]);
  const isAll = packs.length === 1 && packs[0]?.objects === files?.objects;
  if (files === undefined || isAll) return undefined;
  const merged = entryOf(files);
  const names = packs.map(({ name }) => name);
  const make = async (then: Manifest | undefined): Promise<Draft | undefined> => {
    // A restoration may name again what nothing had reached for long, and what is therefore not in the pack.
    if (then === undefined || (await isRestoredSince({ git, store }, then, generation))) return undefined;
    return replaced(then, names, merged);
  };
  o.say?.(`storing a pack of ${merged.objects} objects`);
  return await git.commit({ log: { what: "compact" }, make }, now, async () => await new Packs(store).put(files));
}

async function packed(repository: TemporaryRepository, wants: readonly string[]): Promise<PackFiles | undefined> {
  try {
    return await repository.makePack(new Set(wants));
  } catch (cause) {
    if (!(cause instanceof GitError)) throw cause;
    const message = `the refs reach objects that no pack has ("holdall repo fsck --full" says which): ${cause.message}`;
    throw new GitStoreError("corrupt", message, { cause });
  }
}

/**
 * What refs were at some time since, beside what they are: somebody may be about to build on it.
 * @param since in milliseconds
 * @throws GitStoreError `corrupt` when the log does not go back so far; StorageError
 */
export async function* valuesSince({ store }: Kept, now: Manifest, since: number): AsyncGenerator<string> {
  const isOld = (at: Date | undefined): boolean => at !== undefined && at.getTime() < since - CLOCKS_DIFFER;
  for await (const { key, entries } of historyByParts(store, now)) {
    // A clock of those who push may be wrong by years: then that of the store decides.
    if (entries.some(({ at }) => isOld(at)) && isOld((await store.stat(key))?.modifiedAt)) return;
    for (const { updates } of entries)
      for (const { from, to } of updates) for (const oid of [from, to]) if (oid !== undefined) yield oid;
  }
}

async function isRestoredSince({ store }: Kept, now: Manifest, generation: number): Promise<boolean> {
  if (now.generation === generation) return false;
  for await (const entry of history(store, now)) {
    if (entry.generation <= generation) return false;
    if (entry.what === "restore") return true;
  }
  return false;
}
