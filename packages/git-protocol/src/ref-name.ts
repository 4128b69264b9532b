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
 * Names of refs, for finding those that stand in each other's way because git may keep refs as files: `refs/heads/a` and
 * `refs/heads/a/b` cannot both be.
 */
export class RefNames {
  readonly #names = new Set<string>();
  /** How many of them are below each folder: there may be tens of thousands, and as many to be compared with them. */
  readonly #below = new Map<string, number>();

  constructor(names: Iterable<string> = []) {
    for (const name of names) this.add(name);
  }

  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    for (const folder of foldersOf(name)) this.#below.set(folder, (this.#below.get(folder) ?? 0) + 1);
  }

  delete(name: string): void {
    if (!this.#names.delete(name)) return;
    for (const folder of foldersOf(name)) {
      const left = (this.#below.get(folder) ?? 0) - 1;
      if (left > 0) this.#below.set(folder, left);
      else this.#below.delete(folder);
    }
  }

  /** One of them that another name cannot be beside. */
  inTheWayOf(name: string): string | undefined {
    for (const folder of foldersOf(name)) if (this.#names.has(folder)) return folder;
    if (!this.#below.has(name)) return undefined;
    return [...this.#names].find((other) => other.startsWith(`${name}/`));
  }
}

function* foldersOf(name: string): Generator<string> {
  for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) yield name.slice(0, at);
}
