import { mkdir, rm } from "node:fs/promises";
import type { LocalGit, Manifest, PackEntry, Packs } from "@holdall/git-store/core";
import { GitStoreError } from "@holdall/git-store/core";
import { StorageError } from "@holdall/object-store/open";
import type { Installed } from "./installed.ts";
import { Progress } from "./progress.ts";

/** Packs on their way at once. */
const AT_ONCE = 4;

export interface FetchParts {
  readonly git: LocalGit;
  readonly packs: Packs;
  readonly installed: Installed;
  /** The manifest as it is now, for when a pack is gone. */
  readonly again: () => Promise<Manifest | undefined>;
  /** Whatever came into the repository stays there. */
  readonly dropsNothing: boolean;
  /** Shows progress. */
  readonly draw: ((text: string) => void) | undefined;
}

/**
 * Makes these objects, and all that they reach, be here.
 * @returns the `.keep` files that hold off `git gc` until the refs are there
 */
export async function fetchObjects(manifest: Manifest, wants: readonly string[], parts: FetchParts): Promise<string[]> {
  const { git, installed } = parts;
  const format = await git.objectFormat();
  if (manifest.objectFormat !== format) {
    // Git would find its packs unreadable from then on.
    throw new GitStoreError(
      "refused",
      `the remote names its objects by ${manifest.objectFormat}, and this repository by ${format}: clone it into another one`,
    );
  }
  const names = manifest.packs.map(({ name }) => name);
  const { noted, files } = await installed.among(names);
  const kept: string[] = [];
  try {
    await fetchPacks(manifest, new Set([...noted, ...files]), { ...parts, kept });
    const mayLack = [...noted].some((name) => !files.has(name));
    if (mayLack && (await areMissing(wants, parts))) await fetchPacks(manifest, files, { ...parts, kept });
  } catch (error) {
    // Nobody would remove them, and git would never clear up what they are for.
    await Promise.all(kept.map((path) => rm(path, { force: true })));
    throw error;
  }
  await installed.add(names, names);
  return kept;
}

/** Git drops what no ref of the clone has reached for some weeks. Another ref may reach it now. */
async function areMissing(wants: readonly string[], { git, dropsNothing }: FetchParts): Promise<boolean> {
  if (!dropsNothing) return !(await git.isComplete(wants));
  // Somebody may have made room where nothing else drops anything.
  return (await git.typesOf(new Set(wants))).size < new Set(wants).size;
}

interface Fetching extends FetchParts {
  /** Gets the `.keep` files that are there, also when something else fails. */
  readonly kept: string[];
}

async function fetchPacks(manifest: Manifest, known: ReadonlySet<string>, parts: Fetching): Promise<void> {
  const missing = manifest.packs.filter(({ name }) => !known.has(name));
  try {
    await fetchAll(missing, manifest, parts);
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "not-found")) throw error;
    // It may have been replaced by another, long ago or while we looked.
    const now = await parts.again();
    const still = missing.find(({ name }) => now?.packs.some((pack) => pack.name === name));
    if (now === undefined || now.generation === manifest.generation) throw gone(still?.name, error);
    await fetchAll(
      now.packs.filter(({ name }) => !known.has(name)),
      now,
      parts,
    ).catch((cause: unknown) => {
      throw cause instanceof StorageError && cause.code === "not-found" ? gone(still?.name, cause) : cause;
    });
  }
}

async function fetchAll(
  entries: readonly PackEntry[],
  { objectFormat: format }: Manifest,
  { git, packs, draw, kept }: Fetching,
): Promise<void> {
  if (entries.length === 0) return;
  const total = entries.reduce((sum, { size, indexSize }) => sum + size + indexSize, 0);
  const progress = draw && new Progress("Receiving packs", total, draw);
  const folder = await git.packFolder();
  await mkdir(folder, { recursive: true });
  const keep = `fetched by Holdall, process ${process.pid}`;
  const waiting = entries.values();
  // No pack needs one that comes behind it. So whatever is here by then has what it reaches, wherever this ends.
  let before: Promise<unknown> = Promise.resolve();
  const worker = async (): Promise<void> => {
    for (const entry of waiting) {
      const onBytes = (bytes: number): void => progress?.add(bytes);
      const fetched = packs.fetch(entry, folder, { format, keep, after: before, onBytes });
      before = fetched;
      const path = await fetched;
      if (path !== undefined) kept.push(path);
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  progress?.end();
}

function gone(name: string | undefined, cause: unknown): GitStoreError {
  return new GitStoreError(
    "corrupt",
    `the pack ${name ?? ""} that the repository names is not in the store: restore it from a copy or a version of the bucket`,
    { cause },
  );
}
