import { openStore, RetryLayer, type ObjectStore } from "@holdall/object-store/open";
import { withConfiguredEncryption } from "./configured-encryption.ts";
import type { RemoteUrl } from "./remote-url.ts";

/**
 * Opens the store that a remote is in. Asks nothing of it yet. To be called before anything else looks for credentials.
 * @throws StorageError; GitError when git cannot say what is configured
 */
export async function openRemote({ store }: RemoteUrl): Promise<ObjectStore> {
  if (store.kind !== "s3") return new RetryLayer(await openStore(store));
  // A profile is more than its credentials: the SDK finds the endpoint that it names, too, only like this.
  if (store.profile !== undefined) {
    process.env["AWS_PROFILE"] = store.profile;
    // They would not count beside it, and the SDK would say so in eight lines.
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]) delete process.env[name];
  }
  // Mostly nothing is configured; git has said so before the library is loaded.
  const [opened, configured] = await Promise.all([openStore(store), withConfiguredEncryption(store)]);
  if (configured === undefined) return new RetryLayer(opened);
  await opened.close();
  return new RetryLayer(await openStore(configured));
}
