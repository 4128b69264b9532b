import { ANONYMOUS } from "./principal.ts";
import { IdentityError } from "./errors.ts";

const USER_NAME = /^[A-Za-z0-9._@][A-Za-z0-9._@-]{0,63}$/;

/** Whether a user can have this name; see {@link parseUserName}. */
export function isUserName(text: string): boolean {
  return USER_NAME.test(text) && !isReserved(text);
}

/**
 * Returns `text` when it is a user name: 1 to 64 ASCII letters, digits and `.` `_` `@` `-`, not beginning with `-`
 * (which commands would take for an option), and not `anonymous` in any case. Names are compared byte by byte.
 * @throws IdentityError `invalid`
 */
export function parseUserName(text: string): string {
  if (isUserName(text)) return text;
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  throw new IdentityError(
    "invalid",
    isReserved(text)
      ? `The user name ${shown} is reserved for clients that send no credentials. Choose another name.`
      : `${shown} is not a user name. Use 1 to 64 of the characters A-Z a-z 0-9 . _ @ - and do not begin with "-".`,
  );
}

function isReserved(name: string): boolean {
  return name.toLowerCase() === ANONYMOUS.name;
}
