import type { CompiledQuery, Kysely } from "kysely";
import type { Oid } from "@holdall/lfs-protocol";
import type { Schema } from "./schema.ts";

export interface LinkedRows {
  readonly sizes: readonly (number | null)[];
  readonly suspects: readonly string[];
}

/**
 * What one kind of database brings to the one implementation of the port. Everything else is written once, over Kysely.
 * Failures are already `MetadataError`s here.
 */
export interface Database {
  readonly db: Kysely<Schema>;
  /**
   * Runs the statements in this order, all or nothing, and resolves with the rows of each when they are durable. Cheaper
   * than a Kysely transaction where the database can take several callers' lists in one commit.
   */
  atomically<Rows extends readonly unknown[]>(statements: {
    readonly [I in keyof Rows]: CompiledQuery<Rows[I]>;
  }): Promise<{ readonly [I in keyof Rows]: readonly Rows[I][] }>;
  /**
   * For each oid, in this order, its size in bytes if it is linked into the repository, otherwise null; and those of them
   * that are suspected, in any order. Every batch asks this about all its objects, and each database has its own fastest
   * way to be handed a list.
   */
  linked(repositoryId: number, oids: readonly Oid[]): Promise<LinkedRows>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
