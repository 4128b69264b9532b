import type { ObjectStore } from "@holdall/object-store/open";
import { GitStoreError } from "./errors.ts";
import { logKey, LOG_PREFIX, logKeysFrom, transactionIn } from "./keys.ts";
import { parseLogEntry, type LogEntry } from "./log-entry.ts";
import type { Manifest, RefValue } from "./manifest.ts";
import { readSmall } from "./small-object.ts";

/** Entries whose names are asked for at once: at most as many as any store lists in one answer, with those of lost swaps. */
const MOST_LISTED = 500;
const FIRST_LISTED = 50;

/** Entries read at once. */
const AT_ONCE = 16;

/**
 * What became part of the repository, the newest first: each entry names the one before, so those of changes that never were
 * committed do not come. Reads little more than is taken.
 * @param store whose root is the repository
 * @param now from which to go back
 * @param expected how many entries will be taken, if that is known
 * @throws GitStoreError `corrupt` when the log has a gap; StorageError
 */
export async function* history(
  store: ObjectStore,
  now: Pick<Manifest, "generation" | "transaction">,
  expected = FIRST_LISTED,
): AsyncGenerator<LogEntry> {
  let { generation }: { generation: number } = now;
  let wanted: string | undefined = now.transaction;
  let listed = Math.min(expected, MOST_LISTED);
  while (wanted !== undefined) {
    if (generation < 1) throw gap(generation);
    const lowest = Math.max(1, generation - listed + 1);
    const names = await namesBetween(store, lowest, generation);
    while (wanted !== undefined && generation >= lowest) {
      const bottom = Math.max(lowest, generation - AT_ONCE + 1);
      const entries = await readAll(
        store,
        names.filter((name) => name.generation >= bottom && name.generation <= generation),
      );
      for (; wanted !== undefined && generation >= bottom; generation -= 1) {
        // One that has just come may not be listed yet.
        const bytes =
          entries.get(wanted) ?? (await readSmall(store, logKey({ generation, transaction: wanted })))?.bytes;
        if (bytes === undefined) throw gap(generation);
        const entry = parseLogEntry(bytes);
        yield entry;
        wanted = entry.parent;
      }
    }
    listed = Math.min(2 * listed, MOST_LISTED);
  }
}

interface Name {
  readonly generation: number;
  readonly transaction: string;
}

async function namesBetween(store: ObjectStore, lowest: number, highest: number): Promise<readonly Name[]> {
  const names: Name[] = [];
  for await (const { key } of store.list(LOG_PREFIX, { after: logKeysFrom(lowest) })) {
    const name = transactionIn(key);
    if (name === undefined) continue;
    if (name.generation > highest) break;
    names.push(name);
  }
  return names;
}

async function readAll(store: ObjectStore, names: readonly Name[]): Promise<ReadonlyMap<string, Buffer>> {
  const entries = new Map<string, Buffer>();
  await Promise.all(
    names.map(async (name) => {
      const found = await readSmall(store, logKey(name));
      if (found !== undefined) entries.set(name.transaction, found.bytes);
    }),
  );
  return entries;
}

function gap(generation: number): GitStoreError {
  return new GitStoreError(
    "corrupt",
    `the log of the repository has no entry of generation ${generation}: it was removed, and what came before cannot be told`,
  );
}

/** What a log can say of a repository at one moment. */
export interface PastState {
  readonly generation: number;
  readonly at: Date;
  readonly head: string;
  readonly refs: ReadonlyMap<string, RefValue>;
}

/**
 * The states that led to this one, the newest first and beginning with it, as far back as the log goes.
 * @param expected how many will be taken, if that is known
 * @throws GitStoreError `corrupt` when the log has a gap, or contradicts the repository; StorageError
 */
export async function* pastStates(store: ObjectStore, now: Manifest, expected?: number): AsyncGenerator<PastState> {
  let state: Omit<PastState, "at"> = now;
  for await (const entry of history(store, now, expected)) {
    yield { ...state, at: entry.at };
    state = before(state, entry);
  }
}

/** The state that an entry's change was made to. */
function before({ generation, head, refs }: Omit<PastState, "at">, entry: LogEntry): Omit<PastState, "at"> {
  const earlier = new Map(refs);
  for (const { ref, from, fromPeeled, to } of entry.updates) {
    if (refs.get(ref)?.oid !== to) throw contradiction(generation, ref);
    if (from === undefined) earlier.delete(ref);
    else earlier.set(ref, fromPeeled === undefined ? { oid: from } : { oid: from, peeled: fromPeeled });
  }
  if (entry.head !== undefined && entry.head.to !== head) throw contradiction(generation, "HEAD");
  return { generation: generation - 1, head: entry.head?.from ?? head, refs: earlier };
}

function contradiction(generation: number, what: string): GitStoreError {
  return new GitStoreError(
    "corrupt",
    `the log's entry of generation ${generation} says something else of ${what} than the repository: what came before cannot be told`,
  );
}
