import { GitStoreError } from "./errors.ts";
import type { Draft } from "./change.ts";
import type { Snapshot } from "./git-store.ts";
import { pastStates, type PastState } from "./history.ts";
import { objectsAmong } from "./index-scan.ts";
import { GitError } from "./local-git.ts";
import type { RefUpdate } from "./log-entry.ts";
import { GRACE, retiring, type Kept } from "./maintenance.ts";
import type { Manifest, PackEntry, RefValue } from "./manifest.ts";
import { entryOf, Packs, type PackFiles } from "./packs.ts";
import { valuesSince } from "./repack.ts";
import { entryInStore, missingPacks, storedPacks } from "./stored-packs.ts";
import { TemporaryRepository, type Say } from "./temporary-repository.ts";

/** What a restoration would do. */
export interface RestorePlan {
  /** The state that it was made for. */
  readonly now: Snapshot;
  readonly past: PastState;
  readonly updates: readonly RefUpdate[];
  /**
   * How the objects come to be there: `present`: they are; `again`: what only retired packs have becomes a pack; `anew`: all is
   * fetched and checked, and one pack takes the place of all, damaged ones among them.
   */
  readonly packs: "present" | "again" | "anew";
}

/**
 * Finds out how to make the refs and the head what they were. Changes nothing.
 * @param generation of the state to go back to
 * @param o.anew makes all packs anew, whatever they look like
 * @throws GitStoreError `refused` when there was no such generation; `corrupt` when the log does not go back to it; StorageError
 */
export async function planRestore(
  { git, store }: Kept,
  generation: number,
  o: { readonly anew?: boolean } = {},
): Promise<RestorePlan> {
  const now = await git.read();
  if (now === undefined) throw refused("there is no repository");
  const { manifest } = now;
  if (generation < 1 || generation > manifest.generation) {
    throw refused(`there is no generation ${generation}: the repository has those from 1 to ${manifest.generation}`);
  }
  const past = await stateAt({ git, store }, manifest, generation);
  const updates = updatesBetween(manifest.refs, past.refs);
  const isDamaged = missingPacks(manifest, await storedPacks(store)).size > 0;
  if (isDamaged || o.anew === true) return { now, past, updates, packs: "anew" };
  const added = updates.flatMap(({ ref }) => valuesOf(past.refs.get(ref)));
  const isThere = await haveAll({ git, store }, manifest, added);
  return { now, past, updates, packs: isThere ? "present" : "again" };
}

/**
 * Does what was planned, as one change on top of all others: what it takes back stays in the log.
 * @param o.by as git knows the person
 * @returns the state afterwards; undefined when nothing is different
 * @throws GitStoreError `refused` when objects are gone; `contended` when somebody changed the repository since; StorageError
 */
export async function applyRestore(
  { git, store }: Kept,
  plan: RestorePlan,
  o: { readonly by?: string | undefined; readonly say?: Say | undefined } = {},
): Promise<Snapshot | undefined> {
  const { now, past, updates, packs } = plan;
  if (packs === "present" && updates.length === 0 && past.head === now.manifest.head) return undefined;
  await using repository =
    packs === "present" ? undefined : await TemporaryRepository.create(store, now.manifest.objectFormat);
  const made = repository && (await packFor({ git, store }, plan, { repository, say: o.say }));
  const make = (later: Manifest | undefined): Draft => {
    if (later === undefined || !isStill(later, now.manifest)) {
      throw contended("somebody has changed the repository meanwhile: look again, and restore then");
    }
    if (made?.files !== undefined && later.deleting.includes(made.files.name)) {
      throw contended("maintenance is just removing a pack that is needed: try again");
    }
    const brought = made === undefined ? {} : withPack(later, plan, made);
    return { next: { ...later, ...brought, refs: past.refs, head: past.head }, updates };
  };
  const log = { what: "restore", ...(o.by === undefined ? {} : { by: o.by }) } as const;
  return await git.commit({ log, make }, now, async () => {
    if (made?.files !== undefined) await new Packs(store).put(made.files);
  });
}

/** What the manifest says of packs afterwards. */
function withPack(
  later: Manifest,
  { now, packs }: RestorePlan,
  { files, fetched }: Made,
): Pick<Manifest, "packs" | "retired"> {
  const brought = files === undefined ? [] : [entryOf(files)];
  const others = later.packs.filter(({ name }) => name !== files?.name);
  const retired = later.retired.filter(({ name }) => name !== files?.name);
  if (packs === "again") return { packs: [...others, ...brought], retired };
  const replaced = new Set(now.manifest.packs.map(({ name }) => name));
  const left = now.manifest.packs.filter(({ name }) => name !== files?.name && fetched.has(name));
  return {
    packs: [...brought, ...others.filter(({ name }) => !replaced.has(name))],
    retired: [...retired, ...retiring(later, left)],
  };
}

/** The same refs, in packs that are all still there. */
function isStill(later: Manifest, before: Manifest): boolean {
  const names = new Set(later.packs.map(({ name }) => name));
  return (
    later.head === before.head &&
    updatesBetween(later.refs, before.refs).length === 0 &&
    before.packs.every(({ name }) => names.has(name))
  );
}

async function stateAt({ store }: Kept, now: Manifest, generation: number): Promise<PastState> {
  for await (const state of pastStates(store, now)) {
    if (state.generation === generation) return state;
  }
  throw refused(`the log of the repository does not go back to generation ${generation}`);
}

function updatesBetween(one: Manifest["refs"], other: Manifest["refs"]): readonly RefUpdate[] {
  const names = [...new Set([...one.keys(), ...other.keys()])];
  return names.flatMap((ref) => {
    const [from, to] = [one.get(ref)?.oid, other.get(ref)?.oid];
    if (from === to) return [];
    return [{ ref, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
  });
}

function valuesOf(value: RefValue | undefined): readonly string[] {
  if (value === undefined) return [];
  return value.peeled === undefined ? [value.oid] : [value.oid, value.peeled];
}

/** Whether the packs have these objects: then they also have what those reach (docs/design/git-store.md, "Restoring"). */
async function haveAll({ store }: Kept, now: Manifest, oids: readonly string[]): Promise<boolean> {
  const missing = new Set(oids);
  for (const pack of now.packs.toReversed()) {
    if (missing.size === 0) return true;
    for (const oid of await objectsAmong(store, pack, missing, now.objectFormat)) missing.delete(oid);
  }
  return missing.size === 0;
}

interface Made {
  /** Undefined when there is nothing to be in it. */
  readonly files: PackFiles | undefined;
  /** The names of packs that are as they should be. */
  readonly fetched: ReadonlySet<string>;
}

/** Fetches all packs that can be had, and makes one of them that has what is needed. */
async function packFor(
  { git, store }: Kept,
  { now: { manifest }, past, packs }: RestorePlan,
  { repository, say }: { repository: TemporaryRepository; say: Say | undefined },
): Promise<Made> {
  const fetched = await fetchAll({ store }, manifest, { repository, say });
  const [wants, current] = [past.refs, manifest.refs].map((refs) => [...refs.values()].map(({ oid }) => oid));
  if (wants === undefined || current === undefined) throw new Error("there are two states");
  say?.("packing");
  try {
    // Others may at this moment be about to build on what is left of the present state.
    const files = await (packs === "again"
      ? repository.makePack(wants, current)
      : repository.makePack([
          ...wants,
          ...(await repository.complete([...current, ...(await recent({ git, store }, manifest))])),
        ]));
    return { files, fetched };
  } catch (cause) {
    if (!(cause instanceof GitError)) throw cause;
    const message = `generation ${past.generation} cannot be restored, because objects of it are gone: ${cause.message}`;
    throw new GitStoreError("refused", message, { cause });
  }
}

/** What refs were within the grace period, as far as the log says. */
async function recent(kept: Kept, now: Manifest): Promise<readonly string[]> {
  const values = new Set<string>();
  try {
    for await (const oid of valuesSince(kept, now, Date.now() - GRACE)) values.add(oid);
  } catch (error) {
    // Where the log has a gap, more cannot be told: that is no reason not to mend what can be mended.
    if (!(error instanceof GitStoreError && error.code === "corrupt")) throw error;
  }
  return [...values];
}

/** Brings all packs that are there and whole, whether anybody names them or not. @returns their names */
export async function fetchAll(
  { store }: Pick<Kept, "store">,
  { packs, deleting }: Manifest,
  o: {
    readonly repository: TemporaryRepository;
    /** Only those that the manifest names. */
    readonly named?: boolean;
    readonly say?: Say | undefined;
    readonly failed?: (entry: PackEntry, error: unknown) => void;
  },
): Promise<ReadonlySet<string>> {
  const entries = [...packs];
  const passed = new Set([...packs.map(({ name }) => name), ...deleting]);
  for (const [name, there] of o.named === true ? [] : await storedPacks(store)) {
    const entry = passed.has(name) ? undefined : await entryInStore(store, name, there);
    if (entry !== undefined) entries.push(entry);
  }
  const fetched = new Set(entries.map(({ name }) => name));
  await o.repository.fetch(entries, {
    say: o.say,
    failed: (entry, error) => {
      // What a store does not give now, it may give later: only what is gone or damaged counts as such.
      if (!isLost(error)) throw error;
      fetched.delete(entry.name);
      o.failed?.(entry, error);
    },
  });
  return fetched;
}

function isLost(error: unknown): boolean {
  if (error instanceof GitStoreError) return error.code === "corrupt";
  return error instanceof Error && "code" in error && error.code === "not-found";
}

function contended(message: string): GitStoreError {
  return new GitStoreError("contended", message);
}

function refused(message: string): GitStoreError {
  return new GitStoreError("refused", message);
}
