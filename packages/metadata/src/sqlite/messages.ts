import type { SqliteFailure } from "./errors.ts";

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface Result {
  readonly rows: readonly unknown[];
  /** Rows inserted, updated or deleted; undefined for a statement that answers with rows. */
  readonly changes: number | undefined;
}

/**
 * What the writer thread is asked. One request at a time; each has one answer, an {@link Outcome} for each unit of a
 * `write` and exactly one for anything else.
 */
export type Request =
  /** Units of statements, each all or nothing, committed together. */
  | { readonly do: "write"; readonly units: readonly (readonly Statement[])[] }
  | { readonly do: "begin" }
  | { readonly do: "execute"; readonly statement: Statement }
  | { readonly do: "commit" }
  | { readonly do: "rollback" }
  /** The thread ends after its answer. */
  | { readonly do: "close" };

/** The results of a unit's statements, in their order. */
export type Outcome = { readonly results: readonly Result[] } | { readonly failure: SqliteFailure };
