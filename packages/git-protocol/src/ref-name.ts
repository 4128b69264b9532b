/** The longest name that a file system with the usual limit can hold as a path below a repository, in bytes. */
const MAX_BYTES = 1024;

/** What no part of a name may have: control characters, space, and what has a meaning to revisions and patterns. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.$|\/$/;

/** Of a component: a dot at its beginning, or the end of a lock file's name. */
const BAD_COMPONENT = /^\.|\.lock$/;

/**
 * Whether the text can be the full name of a ref, as `git check-ref-format` decides, and begins with `refs/`. Names from
 * elsewhere become paths and lines of text: none may come in that is not one of these.
 */
export function isRefName(text: string): boolean {
  if (!text.startsWith("refs/") || !text.isWellFormed() || Buffer.byteLength(text) > MAX_BYTES) return false;
  return !FORBIDDEN.test(text) && !text.split("/").some((part) => part === "" || BAD_COMPONENT.test(part));
}

/**
 * A name among those that another one stands in the way of, because git may keep refs as files: `refs/heads/a` and
 * `refs/heads/a/b` cannot both be.
 */
export function refInTheWay(name: string, others: Iterable<string>): string | undefined {
  for (const other of others) if (isBelow(name, other) || isBelow(other, name)) return other;
  return undefined;
}

function isBelow(name: string, folder: string): boolean {
  return name.startsWith(folder) && name[folder.length] === "/";
}
