import { MetadataError } from "./errors.ts";

/**
 * Whether every database keeps this text as it is: PostgreSQL has no NUL, and half of a surrogate pair has no UTF-8 form,
 * so that two texts could become one.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** @throws MetadataError `invalid` for a text that {@link isStorable} refuses; `what` names it */
export function requireStorable(text: string, what: string): void {
  if (isStorable(text)) return;
  throw new MetadataError(
    "invalid",
    `${what} ${JSON.stringify(text)} has a NUL or half of a surrogate pair; choose another`,
  );
}
