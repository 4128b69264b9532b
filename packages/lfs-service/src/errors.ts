import type { Oid } from "@holdall/lfs-protocol";
import { MetadataError, type Lock, type MetadataErrorCode } from "@holdall/metadata";
import { StorageError, type StorageErrorCode } from "@holdall/object-store";

/**
 * - `unauthenticated`: nobody in particular asks, and somebody in particular might be allowed to.
 * - `forbidden`: the principal may read here, but not do this.
 * - `not-found`: there is nothing here, or nothing that the principal may know of.
 * - `invalid`: the request says something that cannot be.
 * - `too-many-objects`: a batch over the limit.
 * - `wrong-body`: an upload's bytes are not the object that was announced.
 * - `incomplete`: an upload in parts is to be ended before all of them have come.
 * - `wrong-offset`: a part of an upload begins at another byte than the one that comes next.
 * - `length-required`: an upload whose size nobody has said.
 * - `locked`: the path has a lock already; `lock` is it.
 * - `lock-held`: the lock is another's.
 * - `lost`: the bytes of a known object are not in the store.
 * - `damaged`: they are not whole there.
 * - `full`: the store or the database has no room left.
 * - `busy`: the store or the database asks to come back later.
 * - `unavailable`: the store or the database does not answer.
 * - `failed`: the store or the database refuses the server, or is broken.
 */
export type LfsErrorCode =
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "invalid"
  | "too-many-objects"
  | "wrong-body"
  | "incomplete"
  | "wrong-offset"
  | "length-required"
  | "locked"
  | "lock-held"
  | "lost"
  | "damaged"
  | "full"
  | "busy"
  | "unavailable"
  | "failed";

export interface LfsErrorOptions extends ErrorOptions {
  readonly lock?: Lock;
}

/** A use case was refused or failed; the message is for the user who asked and holds no secret. */
export class LfsError extends Error {
  override readonly name = "LfsError";
  readonly code: LfsErrorCode;
  /** With `locked`: the lock that is in the way. */
  readonly lock?: Lock;

  constructor(code: LfsErrorCode, message: string, options: LfsErrorOptions = {}) {
    super(message, options);
    this.code = code;
    if (options.lock !== undefined) this.lock = options.lock;
  }
}

const OF_STORE: Readonly<Record<StorageErrorCode, LfsErrorCode>> = {
  "not-found": "failed",
  denied: "failed",
  conflict: "busy",
  throttled: "busy",
  corrupt: "failed",
  unsupported: "failed",
  // Clients name no keys: one that the store does not take, or has no room for beside others, is the server's.
  invalid: "failed",
  unavailable: "unavailable",
  full: "full",
};

const OF_DATABASE: Readonly<Record<MetadataErrorCode, LfsErrorCode>> = {
  conflict: "failed",
  "not-found": "failed",
  invalid: "invalid",
  busy: "busy",
  full: "full",
  "read-only": "unavailable",
  corrupt: "failed",
  "newer-schema": "unavailable",
  unavailable: "unavailable",
};

const SAYING: Partial<Record<LfsErrorCode, string>> = {
  full: "is full: nothing was stored; tell the server's operator",
  busy: "is busy: try again",
  unavailable: "does not answer: try again later, or tell the server's operator",
  failed: "failed: tell the server's operator",
};

/**
 * What a failure means to a client, whichever part it comes from: an LfsError itself, or one made of a failure of the
 * store or the database, whose own message names places inside the server and stays its cause. Undefined for the rest.
 */
export function toLfsError(error: unknown): LfsError | undefined {
  if (error instanceof LfsError) return error;
  if (error instanceof StorageError) return fromBackend("store", OF_STORE[error.code], error);
  if (error instanceof MetadataError) return fromBackend("database", OF_DATABASE[error.code], error);
  return undefined;
}

/** What a user can do about an object that is lost or damaged: the batch before a push asks for its bytes again. */
export function howToRestore(oid: Oid): string {
  return `whoever still has it can restore it with "git lfs push --object-id origin ${oid}"`;
}

function fromBackend(part: string, code: LfsErrorCode, cause: Error): LfsError {
  const saying = SAYING[code];
  return new LfsError(code, saying === undefined ? cause.message : `the ${part} ${saying}`, { cause });
}
