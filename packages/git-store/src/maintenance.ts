import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectStore } from "@holdall/object-store";
import { runToMerge } from "./geometry.ts";
import type { Draft, GitStore, Snapshot } from "./git-store.ts";
import { indexKey, packKey, packNameIn, PACKS_PREFIX } from "./keys.ts";
import { LocalGit } from "./local-git.ts";
import type { Manifest, PackEntry } from "./manifest.ts";
import { entryOf, Packs } from "./packs.ts";
import { Temporary } from "./temporaries.ts";

/** A reader or a pusher may have seen a pack so long ago, in milliseconds. */
export const GRACE: number = 14 * 24 * 3_600_000;

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
  const count = runToMerge(packs);
  const run = packs.slice(packs.length - count);
  const bytes = run.reduce((sum, { size }) => sum + size, 0);
  if (count === 0 || bytes > (o.most ?? Number.POSITIVE_INFINITY)) return undefined;
  await using folder = new Temporary(await mkdtemp(join(tmpdir(), "holdall-compact-")));
  const bare = join(folder.path, "repository");
  const local = LocalGit.apart(bare);
  await local.run(["init", "--quiet", "--bare", `--object-format=${format}`, bare]);
  const stored = new Packs(store);
  for (const entry of run) await stored.fetch(entry, await local.packFolder(), { format, keep: "to be merged" });
  const out = join(folder.path, "out");
  await mkdir(out);
  const names = run.map(({ name }) => name);
  const files = await local.mergePacks(out, names);
  if (files === undefined) return undefined;
  const merged = entryOf(files);
  const make = (then: Manifest | undefined): Draft | undefined => then && replaced(then, names, merged);
  return await git.commit({ log: { what: "compact" }, make }, now, async () => await stored.put(files));
}

/** The state with one pack in the place of several. Undefined when they are not all there any more. */
function replaced(now: Manifest, names: readonly string[], merged: PackEntry): Draft | undefined {
  const at = now.packs.findIndex(({ name }) => name === names[0]);
  const isThere = names.every((name, index) => now.packs[at + index]?.name === name);
  if (at < 0 || !isThere || names.includes(merged.name) || now.deleting.includes(merged.name)) return undefined;
  return {
    next: {
      ...now,
      packs: [...now.packs.slice(0, at), merged, ...now.packs.slice(at + names.length)],
      retired: [
        ...now.retired.filter(({ name }) => name !== merged.name),
        ...names.map((name) => ({ name, at: new Date() })),
      ],
    },
    updates: [],
  };
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
  const before = (o.now ?? new Date()).getTime() - (o.grace ?? GRACE);
  const unnamed = await oldPacks(store, before);
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
async function oldPacks(store: ObjectStore, before: number): Promise<Set<string>> {
  const newest = new Map<string, number>();
  for await (const { key, modifiedAt } of store.list(PACKS_PREFIX)) {
    const name = packNameIn(key);
    if (name !== undefined) newest.set(name, Math.max(newest.get(name) ?? 0, modifiedAt.getTime()));
  }
  return new Set([...newest].flatMap(([name, at]) => (at < before ? [name] : [])));
}
