import { StorageError, type ObjectKey, type ObjectStore } from "@holdall/object-store/open";
import { GitStoreError } from "./errors.ts";
import { MAX_MANIFEST_BYTES } from "./manifest.ts";

/**
 * Reads an object that fits into memory: the manifest, an entry of the log, a view. Undefined when there is none.
 * @throws GitStoreError `corrupt` when it is larger than any of these; StorageError
 */
export async function readSmall(
  store: ObjectStore,
  key: ObjectKey,
): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
  try {
    const { body, etag, size } = await store.get(key);
    if (size > MAX_MANIFEST_BYTES) {
      await body[Symbol.asyncIterator]().return?.();
      throw new GitStoreError("corrupt", `${key} has ${size} bytes, which is more than any has`);
    }
    return { bytes: Buffer.concat(await Array.fromAsync(body)), etag };
  } catch (error) {
    if (error instanceof StorageError && error.code === "not-found") return undefined;
    throw error;
  }
}
