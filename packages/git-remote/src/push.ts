import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import {
  entryOf,
  type Draft,
  type GitStore,
  type LocalGit,
  type Manifest,
  type PackEntry,
  type Packs,
  type Snapshot,
  Temporary,
} from "@holdall/git-store/core";
import type { Installed } from "./installed.ts";
import { Moves } from "./moves.ts";
import { Progress } from "./progress.ts";
import type { PushLine, PushResult } from "./repository.ts";

export interface PushParts {
  readonly git: LocalGit;
  readonly store: GitStore;
  readonly packs: Packs;
  readonly installed: Installed;
  /** What `list` answered from: git has decided by it what to send. */
  readonly listed: Snapshot | undefined;
  readonly atomic: boolean;
  readonly dryRun: boolean;
  readonly leases: ReadonlyMap<string, string | undefined>;
  readonly options: readonly string[];
  /** Shows progress. */
  readonly draw: ((text: string) => void) | undefined;
}

export interface Pushed {
  readonly results: readonly PushResult[];
  /** The state that the push has made, or a later one; undefined when it has made none. */
  readonly after: Snapshot | undefined;
}

/** Moves refs, all that may be moved, in one change. */
export async function pushRefs(lines: readonly PushLine[], parts: PushParts): Promise<Pushed> {
  const { git, listed, atomic, leases, dryRun } = parts;
  const moves = await Moves.check(lines, { git, listed: listed?.manifest, options: { atomic, leases } });
  const after = dryRun || moves.going.length === 0 ? undefined : await commit(moves, parts);
  return { results: moves.results, after };
}

async function commit(moves: Moves, parts: PushParts): Promise<Snapshot | undefined> {
  const { git, store, packs, installed, listed, options, draw } = parts;
  await using folder = new Temporary(await mkdtemp(join(await git.objectFolder(), "tmp_push-")));
  const wants = moves.going.flatMap(({ to }) => to?.oid ?? []);
  const [files, head, by] = await Promise.all([
    wants.length === 0 ? undefined : git.makePack(folder.path, { wants, haves: await moves.knownHere(), draw }),
    listed?.manifest.head ?? moves.newHead(),
    whoPushes(git),
  ]);
  const pack = files && entryOf(files);
  const bring = async (): Promise<void> => {
    if (files === undefined) return;
    const progress = draw && new Progress("Sending the pack", files.size + files.indexSize, draw);
    await packs.put(files, (bytes) => progress?.add(bytes));
    progress?.end();
  };
  const log = { what: "push", by, ...(options.length === 0 ? {} : { options }) } as const;
  const change = { log, make: (now: Manifest | undefined) => draft(now, moves, { head, pack }) };
  const after = await store.commit(change, listed, bring);
  if (after !== undefined && pack !== undefined) {
    // What is in it came from here.
    const current = after.manifest.packs.map(({ name }) => name);
    await installed.add([pack.name], current);
  }
  return after;
}

/** For the log, as git knows the person. */
async function whoPushes(git: LocalGit): Promise<string> {
  return (await git.tryRun(["var", "GIT_COMMITTER_IDENT"])).stdout.replace(/ \d+ [+-]\d+\s*$/, "");
}

/** The state after the moves that may still be made. Undefined: none. */
function draft(
  now: Manifest | undefined,
  moves: Moves,
  { head, pack }: { head: string; pack: PackEntry | undefined },
): Draft | undefined {
  if (now !== undefined && now.objectFormat !== moves.format) {
    // Somebody has begun the repository, otherwise than we were about to.
    for (const { ref } of moves.going) moves.refuse(ref, `the remote names its objects by ${now.objectFormat}`);
    return undefined;
  }
  const refs = new Map(now?.refs);
  const updates: { ref: string; from?: string; to?: string }[] = [];
  for (const { ref, to } of moves.allowed(now)) {
    const from = refs.get(ref)?.oid;
    if (to === undefined) refs.delete(ref);
    else refs.set(ref, to);
    if (from !== to?.oid) updates.push({ ref, ...(from === undefined ? {} : { from }), ...(to && { to: to.oid }) });
  }
  if (updates.length === 0) return undefined;
  const packs = now?.packs ?? [];
  if (now?.deleting.includes(pack?.name ?? "") === true) {
    for (const { ref } of updates) moves.refuse(ref, "the pack is just being removed by maintenance: push again");
    return undefined;
  }
  const isNew = pack !== undefined && !packs.some(({ name }) => name === pack.name);
  return {
    next: {
      objectFormat: now?.objectFormat ?? moves.format,
      head: now?.head ?? head,
      refs,
      packs: isNew ? [...packs, pack] : packs,
      retired: (now?.retired ?? []).filter(({ name }) => name !== pack?.name),
      deleting: now?.deleting ?? [],
      rules: now?.rules ?? [],
    },
    updates,
  };
}
