import type { Uploads } from "@holdall/metadata";
import { StorageError, type ObjectStore } from "@holdall/object-store";
import { INCOMING_PREFIX, isIncoming } from "./incoming.ts";
import { sessionOf } from "./session.ts";

const DAY = 24 * 3_600_000;

/**
 * Removes what clients have sent and never had verified, after two days and never before their links expire, and forgets
 * uploads in parts that the store has given up.
 * @param o.lifetime of signed requests, in seconds
 * @returns how many objects that waited were removed
 * @throws StorageError the first failure, after all the others were tried: whoever sends something directly may be able to keep
 *   it from being removed
 */
export async function sweepUploads(
  store: ObjectStore,
  { uploads, lifetime }: { uploads: Pick<Uploads, "list" | "remove">; lifetime: number },
): Promise<number> {
  const before = Date.now() - Math.max(2 * DAY, 2000 * lifetime);
  let removed = 0;
  let failure: StorageError | undefined;
  const attempt = async (action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      failure ??= error;
    }
  };
  for await (const { key, modifiedAt } of store.list(INCOMING_PREFIX)) {
    if (modifiedAt.getTime() > before || !isIncoming(key)) continue;
    await attempt(async () => {
      await store.delete(key);
      removed += 1;
    });
  }
  // Nothing is given up that is younger.
  for await (const upload of uploads.list({ before: new Date(Date.now() - DAY) })) {
    await attempt(() => sessionOf(upload, store, uploads));
  }
  if (failure !== undefined) throw failure;
  return removed;
}
