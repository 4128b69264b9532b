/** The server cannot start. The message says what is in the way and what to do about it, in one line. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code = "cannot-start";
}
