import type { ObjectKey, ObjectStore } from "@holdall/object-store/open";
import { GitStoreError } from "./errors.ts";
import { logKey, MANIFEST_KEY } from "./keys.ts";
import { parseLog, type LogEntry } from "./log-entry.ts";
import type { Manifest, RefValue } from "./manifest.ts";
import { readSmall } from "./small-object.ts";

type Latest = Pick<Manifest, "generation" | "transaction" | "log">;

/** Changes that are kept in one place, the newest first. */
interface Part {
  /** Of the object that they are in: one of the log, or the manifest. It was written after all of them were made. */
  readonly key: ObjectKey;
  readonly entries: readonly LogEntry[];
}

/**
 * What became part of the repository, the newest first: each entry names the one before, so those of changes that never were
 * committed do not come. Reads no more than is taken, and objects of the log only for what the manifest no longer has.
 * @param store whose root is the repository
 * @param now from which to go back
 * @throws GitStoreError `corrupt` when the log has a gap; StorageError
 */
export async function* history(store: ObjectStore, now: Latest): AsyncGenerator<LogEntry> {
  for await (const { entries } of historyByParts(store, now)) yield* entries;
}

/** As {@link history}, with where it is from. */
export async function* historyByParts(store: ObjectStore, now: Latest): AsyncGenerator<Part> {
  let { generation, log }: Latest = now;
  let wanted: string | undefined = now.transaction;
  let key = MANIFEST_KEY;
  while (wanted !== undefined) {
    if (generation < 1) throw gap(generation);
    if (log.length === 0) {
      key = logKey({ generation, transaction: wanted });
      const found = await readSmall(store, key);
      if (found === undefined) throw gap(generation);
      log = parseLog(found.bytes);
    }
    const entries = log.toReversed();
    for (const entry of entries) {
      if (entry.generation !== generation || entry.transaction !== wanted) throw gap(generation);
      generation -= 1;
      wanted = entry.parent;
    }
    if (entries.length === 0) throw gap(generation);
    yield { key, entries };
    log = [];
  }
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
 * @throws GitStoreError `corrupt` when the log has a gap, or contradicts the repository; StorageError
 */
export async function* pastStates(store: ObjectStore, now: Manifest): AsyncGenerator<PastState> {
  let state: Omit<PastState, "at"> = now;
  for await (const entry of history(store, now)) {
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
