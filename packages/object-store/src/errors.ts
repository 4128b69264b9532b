/**
 * - `not-found`: there is no object under the key.
 * - `denied`: the store refuses the caller; credentials or permissions are wrong.
 * - `conflict`: a condition (`ifAbsent`, `ifMatch`) decided against the call.
 * - `throttled`: the store asks to slow down.
 * - `corrupt`: the bytes are not what they must be.
 * - `unsupported`: the store lacks the capability that the call needs.
 * - `invalid`: the key, the range or the length of a body is not what it must be.
 * - `unavailable`: the store cannot be reached or failed without saying why.
 * - `full`: no room left on the disk or in the quota.
 */
export type StorageErrorCode =
  | "not-found"
  | "denied"
  | "conflict"
  | "throttled"
  | "corrupt"
  | "unsupported"
  | "invalid"
  | "unavailable"
  | "full";

export interface StorageErrorOptions extends ErrorOptions {
  /** Whether the same call may succeed later without anyone mending anything. */
  readonly retryable?: boolean;
  /** Whether the call may have done its work all the same, or may do it yet: no answer came, or none that says. */
  readonly uncertain?: boolean;
}

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;
  readonly retryable: boolean;
  readonly uncertain: boolean;

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? (code === "throttled" || code === "unavailable");
    this.uncertain = options.uncertain ?? false;
  }
}
