import type { ObjectStore, ObjectVersion } from "@holdall/object-store/open";

/**
 * Deletes this version of an object; where the store has no conditions for that, whatever is there.
 * @throws StorageError `conflict` when it is another version, or absent
 */
export async function deleteVersion(
  store: ObjectStore,
  { key, etag }: Pick<ObjectVersion, "key" | "etag">,
): Promise<void> {
  await store.delete(key, store.capabilities.deleteIfMatch ? { ifMatch: etag } : {});
}
