import { randomUUID } from "node:crypto";
import { formatLog, type LogEntry } from "./log-entry.ts";
import type { Manifest } from "./manifest.ts";

/** A change, made anew for each state that it may have to be made to. */
export interface Change {
  /** What the log is to say. */
  readonly log: Pick<LogEntry, "what" | "by" | "options">;
  /**
   * @param now undefined when there is no repository yet
   * @returns the state that is to follow, and what moves in it; undefined when nothing is to be done
   * @throws whatever makes the change impossible; nothing is committed then
   */
  readonly make: (now: Manifest | undefined) => Draft | undefined | Promise<Draft | undefined>;
}

/** What every state has of its own. */
type Own = "generation" | "transaction" | "parent" | "at" | "log";

export interface Draft {
  readonly next: Omit<Manifest, Own>;
  readonly updates: LogEntry["updates"];
}

/** So many changes the manifest has itself, at most, in so many bytes. */
const MOST_LOGGED = 32;
const MOST_LOGGED_BYTES = 16 * 1024;
/** Of these, maintenance leaves room for others'. */
const MOST_LEFT = 16;

interface Following {
  readonly manifest: Manifest;
  /** What it has no room for: the latest changes, this one last, which have to be in the log before it may be. */
  readonly full: readonly LogEntry[] | undefined;
}

/** The state that a change makes, with an account of it. */
export function following(before: Manifest | undefined, { next, updates }: Draft, { log }: Change): Following {
  const own = {
    generation: (before?.generation ?? 0) + 1,
    transaction: randomUUID(),
    parent: before?.transaction,
    at: new Date(),
  };
  const entry: LogEntry = {
    ...own,
    ...log,
    ...(before === undefined || before.head === next.head ? {} : { head: { from: before.head, to: next.head } }),
    updates: updates.map((update) => {
      const fromPeeled = before?.refs.get(update.ref)?.peeled;
      return { ...update, ...(fromPeeled === undefined ? {} : { fromPeeled }) };
    }),
  };
  const entries = [...(before?.log ?? []), entry];
  const most = log.what === "push" ? MOST_LOGGED : MOST_LEFT;
  const isFull = entries.length > most || formatLog(entries).length > MOST_LOGGED_BYTES;
  return { manifest: { ...next, ...own, log: isFull ? [] : entries }, full: isFull ? entries : undefined };
}
