/**
 * - `invalid-credentials`: the credentials are malformed, unknown, wrong or expired; the message never says which.
 * - `refused-credentials`: the same, but they have come so often that asking for others is no use.
 * - `throttled`: too many password checks at once, or too many failures for one user name; `retryAfter` is set.
 * - `invalid-action-token`: the token was not issued for this repository, oid and operation, or not by this server.
 * - `expired-action-token`: the token was issued for exactly this, but its time is over.
 * - `invalid`: a name, password, pattern, rule, key or stored value that breaks its rules. Credentials and action
 *   tokens that a client sends never cause it.
 */
export type IdentityErrorCode =
  | "invalid-credentials"
  | "refused-credentials"
  | "throttled"
  | "invalid-action-token"
  | "expired-action-token"
  | "invalid";

export class IdentityError extends Error {
  override readonly name = "IdentityError";
  readonly code: IdentityErrorCode;
  /** Whole seconds until another try can succeed; set with `throttled`. */
  readonly retryAfter?: number;

  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions & { retryAfter?: number }) {
    super(message, options);
    this.code = code;
    if (options?.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }
}
