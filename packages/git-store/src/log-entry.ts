/** Who changed what, and how (docs/design/git-store.md). Written before the change is committed: it counts when it was. */
export interface LogEntry {
  readonly generation: number;
  readonly transaction: string;
  readonly parent: string | undefined;
  readonly at: Date;
  readonly what: "create" | "push" | "compact" | "rules" | "head" | "restore";
  /** As git knows the person. */
  readonly by?: string;
  readonly updates: readonly RefUpdate[];
  /** As given with `git push -o`. */
  readonly options?: readonly string[];
}

export interface RefUpdate {
  readonly ref: string;
  /** Absent: it was not there. */
  readonly from?: string;
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
