import { GitStoreError } from "./errors.ts";

/** Who changed what, and how (docs/design/git-store.md). */
export interface LogEntry {
  readonly generation: number;
  readonly transaction: string;
  readonly parent: string | undefined;
  readonly at: Date;
  readonly what: "create" | "push" | "compact" | "rules" | "head" | "restore";
  /** As git knows the person. */
  readonly by?: string;
  /** The branch that clones begin with, where that is another one since. */
  readonly head?: { readonly from: string; readonly to: string };
  readonly updates: readonly RefUpdate[];
  /** As given with `git push -o`. */
  readonly options?: readonly string[];
}

export interface RefUpdate {
  readonly ref: string;
  /** Absent: it was not there. */
  readonly from?: string;
  /** What `from` comes to, where it is an annotated tag: without it nobody could go back. */
  readonly fromPeeled?: string;
  /** Absent: it is gone. */
  readonly to?: string;
}

const VERSION = 1;

/** The bytes of an object of the log. @param entries the oldest first, each made to the state of the one before */
export function formatLog(entries: readonly LogEntry[]): Buffer {
  return Buffer.from(`${JSON.stringify({ version: VERSION, entries })}\n`);
}

/** @throws GitStoreError `corrupt` for what is no object of the log */
export function parseLog(bytes: Uint8Array): readonly LogEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    throw unreadable();
  }
  if (!isRecord(value) || value["version"] !== VERSION || !Array.isArray(value["entries"])) throw unreadable();
  return value["entries"].map(logEntryOf);
}

/** @param value as JSON has it. @throws GitStoreError `corrupt` for what is no entry */
export function logEntryOf(value: unknown): LogEntry {
  if (!isEntry(value)) throw unreadable();
  const { at, parent, ...entry } = value;
  return { ...entry, parent, at: new Date(at) };
}

function unreadable(): GitStoreError {
  return new GitStoreError("corrupt", "an entry of the repository's log cannot be read");
}

/** As in the store: times are texts. */
type Stored = Omit<LogEntry, "at"> & { readonly at: string };

function isEntry(value: unknown): value is Stored {
  if (!isRecord(value)) return false;
  const { generation, transaction, parent, at, what, by, updates, options, head } = value;
  return (
    typeof generation === "number" &&
    [transaction, at, what].every(isText) &&
    [parent, by].every(isTextOrAbsent) &&
    !Number.isNaN(Date.parse(String(at))) &&
    Array.isArray(updates) &&
    updates.every(isUpdate) &&
    (options === undefined || (Array.isArray(options) && options.every(isText))) &&
    (head === undefined || isMove(head))
  );
}

function isUpdate(value: unknown): value is RefUpdate {
  if (!isRecord(value)) return false;
  const { ref, from, fromPeeled, to } = value;
  return isText(ref) && [from, fromPeeled, to].every(isTextOrAbsent);
}

function isMove(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { from, to } = value;
  return isText(from) && isText(to);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || isText(value);
}
