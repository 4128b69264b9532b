/**
 * - `corrupt`: what is in the store is no repository in this format, or contradicts itself.
 * - `newer-format`: it was written by a later version of Holdall.
 * - `unsupported`: the store cannot do what is asked.
 * - `contended`: others were faster, again and again.
 * - `refused`: it cannot be done to the repository as it is.
 */
export type GitStoreErrorCode = "corrupt" | "newer-format" | "unsupported" | "contended" | "refused";

/** Something about a repository in a store; the message is for whoever runs git, and holds no secret. */
export class GitStoreError extends Error {
  override readonly name = "GitStoreError";
  readonly code: GitStoreErrorCode;

  constructor(code: GitStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
