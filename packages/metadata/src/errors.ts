/**
 * - `conflict`: a uniqueness rule decided against the write.
 * - `not-found`: the write names something that is not there.
 * - `invalid`: an argument that no caller should send.
 * - `busy`: another process held the database for too long; try again.
 * - `full`: the disk or the quota is full; nothing was changed.
 * - `read-only`: the database cannot be written to.
 * - `corrupt`: the database file is damaged or is not one.
 * - `newer-schema`: a later version of Holdall has migrated this database.
 * - `unavailable`: the database cannot be reached or opened.
 */
export type MetadataErrorCode =
  | "conflict"
  | "not-found"
  | "invalid"
  | "busy"
  | "full"
  | "read-only"
  | "corrupt"
  | "newer-schema"
  | "unavailable";

export class MetadataError extends Error {
  override readonly name = "MetadataError";
  readonly code: MetadataErrorCode;

  constructor(code: MetadataErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
