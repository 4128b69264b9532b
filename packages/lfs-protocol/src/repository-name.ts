declare const repositoryNameBrand: unique symbol;

/**
 * The name of a repository: one or more segments joined by `/`, without `.git`. Made only by
 * {@link parseRepositoryName}. Names are compared byte by byte; case matters.
 */
export type RepositoryName = string & { readonly [repositoryNameBrand]: true };

export const MAX_REPOSITORY_NAME_BYTES = 1024;
const MAX_SEGMENT_BYTES = 200;

// Control characters (C0, DEL, C1), backslash (a separator for some tools and file systems), and halves of surrogate
// pairs, which have no UTF-8 form.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\\ud800-\udfff]/u;

/** A folder itself or the one above it, or where stores keep what is theirs, in whatever case. */
const RESERVED = /^(?:\.+|\.holdall)$/i;

const utf8 = new TextEncoder();

/**
 * Returns the repository name when `text`, already percent-decoded, is one, otherwise undefined. Refused: empty text,
 * empty segments (so absolute paths and `//`), segments of dots alone (`.`, `..`) and `.holdall`, segments that start or
 * end with white space, control characters, backslashes, segments over {@link MAX_SEGMENT_BYTES} and names over
 * {@link MAX_REPOSITORY_NAME_BYTES} bytes. A trailing `.git` on the last segment is dropped: with and without it, a
 * URL names the same repository.
 */
export function parseRepositoryName(text: string): RepositoryName | undefined {
  // UTF-8 never has fewer bytes than UTF-16 has units, so this bounds the work below.
  if (text.length > MAX_REPOSITORY_NAME_BYTES || FORBIDDEN.test(text)) return undefined;
  const name = text.endsWith(".git") ? text.slice(0, -".git".length) : text;
  for (const segment of name.split("/")) {
    if (segment === "" || RESERVED.test(segment) || segment.trim() !== segment) return undefined;
    if (isLonger(segment, MAX_SEGMENT_BYTES)) return undefined;
  }
  return isLonger(name, MAX_REPOSITORY_NAME_BYTES) ? undefined : (name as RepositoryName);
}

/** Encodes only what may be too long: a unit of UTF-16 is at most three bytes of UTF-8. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && utf8.encode(text).length > bytes;
}
