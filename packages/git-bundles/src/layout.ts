import { isObjectId, isRefName, type ObjectFormat } from "@holdall/git-protocol";
import { parseKey, type ObjectKey } from "@holdall/object-store/open";

/** The name of the branch that a clone begins with, and nothing else. */
export const HEAD_KEY: ObjectKey = parseKey("HEAD");

export const REFS_PREFIX = "refs/";

/** Where bundles wait that no ref has yet. Of what git-remote-s3 looks at, nothing begins like this. */
export const UPLOADS_PREFIX = "holdall/uploads/";

/** What an object below a ref is to git-remote-s3. */
export type Piece =
  | { readonly kind: "bundle"; readonly ref: string; readonly oid: string; readonly format: ObjectFormat }
  | { readonly kind: Mark; readonly ref: string };

type Mark = "lock" | "protection" | "archive";

const MARKS: Readonly<Record<Mark, string>> = { lock: "LOCK#.lock", protection: "PROTECTED#", archive: "repo.zip" };
const KINDS: ReadonlyMap<string, Mark> = new Map(
  (["lock", "protection", "archive"] as const).map((kind) => [MARKS[kind], kind]),
);
const BUNDLE = ".bundle";

/** Undefined for whatever git-remote-s3 does not put there. */
export function pieceAt(key: string): Piece | undefined {
  const at = key.lastIndexOf("/");
  const [ref, name] = [key.slice(0, at), key.slice(at + 1)];
  if (!isRefName(ref)) return undefined;
  const kind = KINDS.get(name);
  if (kind !== undefined) return { kind, ref };
  const { oid, format } = bundleName(name) ?? {};
  return oid === undefined || format === undefined ? undefined : { kind: "bundle", ref, oid, format };
}

/** Whether the name of the object is a bundle's, whatever it is below. */
export function isBundleKey(key: string): boolean {
  return bundleName(key.slice(key.lastIndexOf("/") + 1)) !== undefined;
}

function bundleName(name: string): { readonly oid: string; readonly format: ObjectFormat } | undefined {
  if (!name.endsWith(BUNDLE)) return undefined;
  const oid = name.slice(0, -BUNDLE.length);
  const format = (["sha1", "sha256"] as const).find((one) => isObjectId(oid, one));
  return format && { oid, format };
}

export function bundleKey(ref: string, oid: string): ObjectKey {
  return parseKey(`${ref}/${oid}${BUNDLE}`);
}

export function markKey(ref: string, kind: Mark): ObjectKey {
  return parseKey(`${ref}/${MARKS[kind]}`);
}

/** A text that everything begins with that is below the ref, or that the ref could be below. */
export function around(ref: string): string {
  return `${ref.split("/").slice(0, 3).join("/")}/`;
}

/**
 * What git-remote-s3 0.4.2 searches names of objects for, anywhere, to find those that are no bundles: it does not see the
 * bundles of a ref that is called so, and two of its clients would overwrite each other's work.
 */
const UNSEEN = /PROTECTED#|\.zip|\/LOCKS(?:\/|$)/;

/** Why git-remote-s3 could not go on with a ref of this name; undefined when it can. */
export function whyUnfit(ref: string): string | undefined {
  return UNSEEN.test(ref) ? "git-remote-s3 would not see a ref of this name" : undefined;
}
