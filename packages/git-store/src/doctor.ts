import { GitStoreError } from "./errors.ts";
import { VIEW_KEYS } from "./keys.ts";
import { collectGarbage, GRACE, type Kept, unnamedSince } from "./maintenance.ts";
import { missingPacks, storedPacks } from "./stored-packs.ts";
import { staleViews } from "./views.ts";

/** Something that is not as it should be. */
export interface Finding {
  readonly kind: "missing-packs" | "leftover-deletions" | "unnamed-packs" | "stale-views" | "dangling-head";
  readonly text: string;
  /** What {@link repair} does about it; undefined: `advice` is for a person. */
  readonly repair?: "collect" | "refresh";
  readonly advice?: string;
}

/**
 * Looks for what crashes and other programs may have left. Nothing of it keeps anybody from working, but packs that are missing.
 * @param o.grace milliseconds
 * @throws GitStoreError `refused` when there is no repository; StorageError
 */
export async function diagnose(
  { git, store }: Kept,
  o: { readonly grace?: number; readonly now?: Date } = {},
): Promise<readonly Finding[]> {
  // Packs first: one that somebody brings after that is none that nobody names.
  const stored = await storedPacks(store);
  const manifest = (await git.read())?.manifest;
  if (manifest === undefined) throw new GitStoreError("refused", "there is no repository");
  const { packs, retired, deleting, refs, head } = manifest;
  const findings: Finding[] = [];
  const advice = '"holdall repo fsck --full" says what can be restored';
  // Of packs that came while we looked, the list knows nothing yet.
  const isAll = packs.every(({ name }) => stored.has(name));
  const missing = missingPacks(manifest, isAll ? stored : await storedPacks(store));
  for (const text of missing.values()) findings.push({ kind: "missing-packs", text, advice });
  if (deleting.length > 0) {
    const text = `maintenance has not finished removing ${deleting.length} packs, or is at it`;
    findings.push({ kind: "leftover-deletions", text, repair: "collect" });
  }
  const known = new Set([...packs, ...retired].map(({ name }) => name).concat(deleting));
  const before = unnamedSince(o.now ?? new Date(), o.grace ?? GRACE);
  const unnamed = [...stored].filter(([name, { modifiedAt }]) => !known.has(name) && modifiedAt.getTime() < before);
  if (unnamed.length > 0) {
    const bytes = unnamed.reduce((sum, [, { size = 0, indexSize = 0 }]) => sum + size + indexSize, 0);
    const text = `${unnamed.length} packs of ${bytes} bytes are named by nobody, for longer than anybody pushes`;
    findings.push({ kind: "unnamed-packs", text, repair: "collect" });
  }
  const stale = await staleViews(store, manifest);
  if (stale.length > 0) {
    const text = `what plain tools read is out of date: ${stale.map((view) => VIEW_KEYS[view]).join(", ")}`;
    findings.push({ kind: "stale-views", text, repair: "refresh" });
  }
  if (refs.size > 0 && !refs.has(head)) {
    const text = `clones begin with ${head}, which is not there`;
    findings.push({ kind: "dangling-head", text, advice: 'name another branch with "holdall repo set-head"' });
  }
  return findings;
}

/**
 * Mends what {@link diagnose} has found and can be mended without a person.
 * @param o.grace milliseconds
 */
export async function repair(
  kept: Kept,
  findings: readonly Finding[],
  o: { readonly grace?: number; readonly now?: Date } = {},
): Promise<void> {
  const repairs = new Set(findings.map(({ repair }) => repair));
  if (repairs.has("collect")) await collectGarbage(kept, o);
  if (repairs.has("refresh")) await kept.git.refreshViews();
}
