import { EMPTY_OID, objectPath, type Layout, type Oid, type RepositoryName } from "@holdall/lfs-protocol";
import { isKey, MAX_KEY_BYTES, parseKey, type ObjectKey } from "@holdall/object-store";

/** Where the object is in the store. The repository must have a {@link noPlaceFor place} there. */
export function objectKey(layout: Layout, repository: RepositoryName, oid: Oid): ObjectKey {
  return parseKey(objectPath(layout, repository, oid));
}

/** Of a key `<repository>/<oid>`, the room that is left for the repository. */
const LONGEST_NAME = MAX_KEY_BYTES - 1 - EMPTY_OID.length;
const OID_INSIDE = /\/[0-9a-f]{64}(?:\/|$)/;

/** Why the store has no place for objects of this repository, in words for its users; undefined when it has one. */
export function noPlaceFor(layout: Layout, repository: RepositoryName): string | undefined {
  if (layout !== "per-repository") return undefined;
  if (!isKey(objectPath(layout, repository, EMPTY_OID))) {
    return `the repository's name is too long to keep objects under: choose one of at most ${LONGEST_NAME} bytes`;
  }
  // Where keys are paths, its folder would be where the repository around it keeps that object.
  return OID_INSIDE.test(repository)
    ? "a part of the repository's name is an oid, and the repository around it keeps that object there: choose another name"
    : undefined;
}
