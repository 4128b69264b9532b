import type { Generated } from "kysely";
import type { Right } from "./port.ts";

/** The tables as Kysely sees them, the same for every database. Times are milliseconds since 1970, UTC. */
export interface Schema {
  schema_migrations: { version: number; name: string; applied_at: number };
  repositories: { id: Generated<number>; name: string; created_at: number };
  /** `oid` is the 32 bytes themselves: half the size of their text, so twice as many in each page of an index. */
  objects: { oid: Uint8Array; size: number };
  /**
   * `size` repeats the object's, which never changes: a batch then reads one index instead of two. Links are only ever
   * inserted by selecting from `objects`, so the two cannot differ. `suspected_at` is for the operator; that it is there
   * is what counts.
   */
  links: { repository_id: number; oid: Uint8Array; size: number; linked_at: number; suspected_at: number | null };
  uploads: {
    place: string;
    /** Its name: it comes into being when the upload is done. */
    repository: string;
    oid: Uint8Array;
    size: number;
    part_size: number;
    upload: string;
    began_at: number;
  };
  /** Ids grow and are never used again: an old id cannot come to name a newer lock. */
  locks: { id: Generated<number>; repository_id: number; path: string; owner: string; locked_at: number };
  users: { id: Generated<number>; name: string; password_hash: string | null; admin: 0 | 1; created_at: number };
  tokens: {
    /** The order of creation. */
    sequence: Generated<number>;
    id: string;
    hash: Uint8Array;
    user_id: number;
    right: Right;
    /** A JSON array of patterns. */
    repositories: string;
    note: string | null;
    created_at: number;
    expires_at: number | null;
  };
}
