/** Errors that were foreseen have a code of ours or of the operating system; anything else is a defect. */
export function isForeseen(error: unknown): error is Error {
  return error instanceof Error && "code" in error && !String(error.code).startsWith("ERR_");
}
