import type { ObjectStore } from "@holdall/object-store/open";
import { runToMerge } from "./geometry.ts";
import type { Draft } from "./change.ts";
import type { GitStore, Snapshot } from "./git-store.ts";
import { indexKey, packKey } from "./keys.ts";
import type { Manifest, PackEntry, RetiredPack } from "./manifest.ts";
import { entryOf, Packs } from "./packs.ts";
import { storedPacks } from "./stored-packs.ts";
import { TemporaryRepository } from "./temporary-repository.ts";

/** A reader or a pusher may have seen a pack so long ago, in milliseconds. */
export const GRACE: number = 14 * 24 * 3_600_000;

/** Younger than half of this, packs are replaced without a note, in milliseconds; the other half is for clocks that differ. */
const YOUNG = 24 * 3_600_000;

/** A repository, and the store that its packs are in. */
export interface Kept {
  readonly git: GitStore;
  /** Whose root is the repository. */
  readonly store: ObjectStore;
}

/**
 * Merges the newest packs where there are more of them than need be.
 * @param now as it was read
 * @param o.most bytes of packs to merge; more is left to somebody else
 * @returns the state afterwards; undefined when there was nothing to do, or somebody else has done it
 */
export async function compact(
  { git, store }: Kept,
  now: Snapshot,
  o: { readonly most?: number } = {},
): Promise<Snapshot | undefined> {
  const { packs, objectFormat: format } = now.manifest;
  const run = packs.slice(packs.length - runToMerge(packs));
  const bytes = run.reduce((sum, { size }) => sum + size, 0);
  if (run.length === 0 || bytes > (o.most ?? Number.POSITIVE_INFINITY)) return undefined;
  await using repository = await TemporaryRepository.create(store, format);
  await repository.fetch(run);
  const names = run.map(({ name }) => name);
  const files = await repository.mergePacks(names);
  if (files === undefined) return undefined;
  const merged = entryOf(files);
  const make = (then: Manifest | undefined): Draft | undefined => then && replaced(then, names, merged);
  return await git.commit({ log: { what: "compact" }, make }, now, async () => await new Packs(store).put(files));
}

/** The state with one pack in the place of several. Undefined when they are not all there any more. */
export function replaced(now: Manifest, names: readonly string[], merged: PackEntry): Draft | undefined {
  const at = now.packs.findIndex(({ name }) => name === names[0]);
  const isThere = names.every((name, index) => now.packs[at + index]?.name === name);
  // One of them may have all that the others have.
  const left = names.filter((name) => name !== merged.name);
  if (at < 0 || !isThere || left.length === 0 || now.deleting.includes(merged.name)) return undefined;
  return {
    next: {
      ...now,
      packs: [...now.packs.slice(0, at), merged, ...now.packs.slice(at + names.length)],
      retired: [
        ...now.retired.filter(({ name }) => name !== merged.name),
        ...retiring(
          now,
          now.packs.filter(({ name }) => left.includes(name)),
        ),
      ],
    },
    updates: [],
  };
}

/**
 * What the manifest has to say of packs that are replaced now: when that was, of those that are not of today. A pack that nobody names
 * and that is not noted was replaced when it was young, so that its own age tells, and a thousand small pushes leave no thousand notes.
 */
export function retiring(now: Manifest, packs: readonly PackEntry[]): RetiredPack[] {
  // The clock here, or that of whoever changed the repository last, may be wrong by years.
  const at = new Date(Math.max(Date.now(), now.at.getTime()));
  return packs.flatMap(({ name, at: from }) =>
    Math.abs(Date.now() - from.getTime()) < YOUNG / 2 ? [] : [{ name, at }],
  );
}

/**
 * When a pack that nobody names must have come to be garbage now, in milliseconds.
 * @param grace milliseconds; 0 when somebody says that nobody else is at work
 */
export function unnamedSince(now: Date, grace: number): number {
  return now.getTime() - (grace === 0 ? 0 : grace + YOUNG);
}

/**
 * Removes packs that nobody names and nobody can be about to name or still to read (docs/design/git-store.md, "Garbage").
 * @param o.grace milliseconds
 * @returns the names of those that were removed
 */
export async function collectGarbage(
  { git, store }: Kept,
  o: { readonly grace?: number; readonly now?: Date } = {},
): Promise<readonly string[]> {
  const { now: at = new Date(), grace = GRACE } = o;
  const before = at.getTime() - grace;
  const unnamed = await oldPacks(store, unnamedSince(at, grace));
  const read = await git.read();
  if (read === undefined) return [];
  const doomed = (now: Manifest): string[] => {
    const named = new Set(now.packs.map(({ name }) => name));
    const retired = new Map(now.retired.map(({ name, at }) => [name, at.getTime()]));
    const old = [...unnamed].filter((name) => !retired.has(name));
    const over = [...retired].flatMap(([name, at]) => (at < before ? [name] : []));
    return [...new Set([...now.deleting, ...old, ...over])].filter((name) => !named.has(name));
  };
  const condemned = await git.commit(
    { log: { what: "compact" }, make: (now) => now && condemning(now, doomed(now)) },
    read,
  );
  const names = (condemned ?? read).manifest.deleting;
  if (names.length === 0) return [];
  for (const name of names) {
    // Somebody else who maintains may be done with it, and somebody who pushes may have brought it anew.
    if ((await git.read())?.manifest.deleting.includes(name) !== true) continue;
    // Without its index a pack is none; without its pack an index would be a riddle.
    await store.delete(indexKey(name));
    await store.delete(packKey(name));
  }
  const gone = new Set(names);
  await git.commit(
    {
      log: { what: "compact" },
      make: (now) => now && { next: { ...now, deleting: now.deleting.filter((name) => !gone.has(name)) }, updates: [] },
    },
    await git.read(),
  );
  return names;
}

function condemning(now: Manifest, names: readonly string[]): Draft | undefined {
  if (names.length === now.deleting.length) return undefined;
  const doomed = new Set(names);
  const retired = now.retired.filter(({ name }) => !doomed.has(name));
  return { next: { ...now, retired, deleting: names }, updates: [] };
}

/** Packs in the store of which both files, as far as they are there, came before that time. */
async function oldPacks(store: ObjectStore, before: number): Promise<ReadonlySet<string>> {
  const packs = await storedPacks(store);
  return new Set([...packs].flatMap(([name, { modifiedAt }]) => (modifiedAt.getTime() < before ? [name] : [])));
}
