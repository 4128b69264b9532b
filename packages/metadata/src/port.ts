import type { Oid, RepositoryName } from "@holdall/lfs-protocol";

/**
 * What Holdall knows beside the bytes: repositories, which objects are linked into which repository, locks, users and
 * their tokens. One implementation serves many processes at once: whatever must be unique is decided by a constraint of
 * the database, never by a look before an insert. Every method may throw {@link MetadataError}. Every write is durable
 * when its promise resolves.
 */
export interface Metadata {
  readonly repositories: Repositories;
  readonly objects: Objects;
  readonly uploads: Uploads;
  readonly locks: Locks;
  readonly users: Users;
  readonly tokens: Tokens;
  /** One cheap round trip to the database, for readiness checks. */
  ping(): Promise<void>;
  /** Finishes writes that have begun, then closes. Idempotent. */
  close(): Promise<void>;
}

export interface Repository {
  readonly id: number;
  readonly name: RepositoryName;
  readonly createdAt: Date;
}

export interface RepositoryUsage extends Repository {
  /** Distinct objects linked. */
  readonly objects: number;
  /** The sum of their sizes, in bytes. An object linked into two repositories counts in both. */
  readonly bytes: number;
  readonly locks: number;
}

export interface Repositories {
  /** Undefined means that nobody ever wrote to it. */
  find(name: RepositoryName): Promise<Repository | undefined>;
  /** Finds the repository or creates it; of two at once both get the same one. */
  ensure(name: RepositoryName): Promise<Repository>;
  /** All repositories, ordered by name (bytes), read in pages. */
  list(): AsyncIterable<Repository>;
  /** Undefined when there is no such repository. */
  usage(name: RepositoryName): Promise<RepositoryUsage | undefined>;
}

/** An object and its size in bytes. The oid is the hash of the bytes, so one oid has one size for all time. */
export interface ObjectRecord {
  readonly oid: Oid;
  readonly size: number;
}

export interface LinkedObject {
  /** Bytes. */
  readonly size: number;
  /** The bytes were not in the store, or not whole, when somebody asked for them: look before relying on them. */
  readonly suspect: boolean;
}

export interface Objects {
  /**
   * Which of these oids are linked into the repository, and how; an oid that is absent from the answer is invisible
   * there, whatever the store holds. Up to 1,000 oids, duplicates allowed.
   */
  linked(repositoryId: number, oids: readonly Oid[]): Promise<ReadonlyMap<Oid, LinkedObject>>;
  /**
   * Records the object and links it into the repository. Idempotent. The caller has seen the bytes, so the link is no
   * longer suspect.
   * @throws MetadataError `conflict` when the oid is known with another size
   */
  link(repositoryId: number, object: ObjectRecord): Promise<void>;
  /**
   * Makes the link suspect, until the object is linked again; nothing is forgotten, because a store that shows nothing
   * may only be a disk that is not mounted. Idempotent; does nothing where there is no such link.
   */
  suspect(repositoryId: number, oid: Oid): Promise<void>;
}

/** What an upload in parts is of. */
export interface UploadedObject extends ObjectRecord {
  /** By name: it may come into being only when the upload is done. */
  readonly repository: RepositoryName;
  /** Of every part but the last, in bytes. */
  readonly partSize: number;
}

/** An upload in parts, which goes on over many requests, to many processes. Which parts are there is what the store knows. */
export interface Upload extends UploadedObject {
  /** Unique; says where in the store the upload is. */
  readonly place: string;
  /** The store's name for it. */
  readonly name: string;
  readonly beganAt: Date;
}

export interface Uploads {
  find(of: UploadedObject): Promise<Upload | undefined>;
  /** Keeps this one, unless there is one of the same object and part size: everybody gets the one that is kept. */
  keep(upload: Omit<Upload, "beganAt">): Promise<Upload>;
  /** False when there was none. */
  remove(place: string): Promise<boolean>;
  /** Those that began before, the oldest first. */
  list(o: { before: Date }): AsyncIterable<Upload>;
}

export interface Lock {
  /** Decimal digits, unique in the database; safe in a URL path. */
  readonly id: string;
  /** Relative to the repository's root, compared byte by byte. */
  readonly path: string;
  /** The name of the principal that holds it. */
  readonly owner: string;
  readonly lockedAt: Date;
}

export interface LockQuery {
  readonly path?: string;
  readonly id?: string;
  readonly owner?: string;
  /** `nextCursor` of the page before. @throws MetadataError `invalid` for anything else. */
  readonly cursor?: string;
  /** At least 1; the page may be shorter. */
  readonly limit: number;
}

export interface LockPage {
  /** Newest first. A page is not disturbed by locks that come or go meanwhile. */
  readonly locks: readonly Lock[];
  /** Present when there is more. */
  readonly nextCursor?: string;
}

export interface Locks {
  /** Of any number at once on one path exactly one is `created`; the others get the holder's lock. */
  create(repositoryId: number, lock: { path: string; owner: string }): Promise<{ created: boolean; lock: Lock }>;
  /** Undefined when this repository has no such lock, even if another has. Any text may be asked for. */
  find(repositoryId: number, id: string): Promise<Lock | undefined>;
  list(repositoryId: number, query: LockQuery): Promise<LockPage>;
  /**
   * Removes the lock and returns it; undefined when it was already gone. With `owner`, only when that principal holds
   * it, decided in one statement.
   */
  remove(repositoryId: number, id: string, o?: { owner?: string }): Promise<Lock | undefined>;
}

export interface User {
  readonly id: number;
  readonly name: string;
  /** An opaque password hash as identity made it; undefined for a user who signs in with tokens only. */
  readonly passwordHash?: string;
  readonly admin: boolean;
  readonly createdAt: Date;
}

export interface Users {
  find(name: string): Promise<User | undefined>;
  /** @throws MetadataError `conflict` when the name is taken */
  add(user: { name: string; passwordHash?: string; admin: boolean }): Promise<User>;
  /** Removes the user and, in the same transaction, the user's tokens. False when there was none. */
  remove(name: string): Promise<boolean>;
  /** All users, ordered by name (bytes). */
  list(): AsyncIterable<User>;
}

export type Right = "read" | "write" | "admin";

export interface Token {
  /** Public and unique; names the token in lists and logs. */
  readonly id: string;
  readonly user: User;
  /** The most that the token may do, wherever its user may do more. */
  readonly right: Right;
  /** Repository patterns; the token reaches no other. At least one. */
  readonly repositories: readonly string[];
  readonly note?: string;
  readonly createdAt: Date;
  /** Undefined: never. An expired token is still listed and found; the caller compares. */
  readonly expiresAt?: Date;
}

export interface Tokens {
  /**
   * Keeps a token of an existing user. `hash` is the SHA-256 of the secret: the secret itself is never stored.
   * @throws MetadataError `not-found` for an unknown user
   */
  add(token: {
    id: string;
    hash: Uint8Array;
    user: string;
    right: Right;
    repositories: readonly string[];
    note?: string;
    expiresAt?: Date;
  }): Promise<Token>;
  findByHash(hash: Uint8Array): Promise<Token | undefined>;
  /** False when there was none. */
  remove(id: string): Promise<boolean>;
  /** All tokens, newest first, or those of one user. */
  list(o?: { user?: string }): AsyncIterable<Token>;
}
