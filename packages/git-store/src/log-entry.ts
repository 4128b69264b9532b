import { GitStoreError } from "./errors.ts";

/** Who changed what, and how (docs/design/git-store.md). Written before the change is committed: it counts when it was. */
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

export function formatLogEntry(entry: LogEntry): Buffer {
  return Buffer.from(`${JSON.stringify({ version: 1, ...entry })}\n`);
}

/** The transaction before, as an entry in the store says; undefined when it says none, or is none. */
export function parentIn(bytes: Uint8Array): string | undefined {
  try {
    const entry: unknown = JSON.parse(Buffer.from(bytes).toString());
    const parent: unknown = typeof entry === "object" && entry !== null ? Reflect.get(entry, "parent") : undefined;
    return typeof parent === "string" ? parent : undefined;
  } catch {
    return undefined;
  }
}

/** @throws GitStoreError `corrupt` for what is no entry */
export function parseLogEntry(bytes: Uint8Array): LogEntry {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    value = undefined;
  }
  if (!isEntry(value)) throw new GitStoreError("corrupt", "an entry of the repository's log cannot be read");
  const { at, ...entry } = value;
  return { ...entry, at: new Date(at) };
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
