import { openStore, RetryLayer, type ObjectStore } from "@holdall/object-store/open";
import type { RemoteUrl } from "./remote-url.ts";

/** Opens the store that a remote is in. Asks nothing of it yet. To be called before anything else looks for credentials. @throws StorageError */
export async function openRemote({ store }: RemoteUrl): Promise<ObjectStore> {
  // A profile is more than its credentials: the SDK finds the endpoint that it names, too, only like this.
  if (store.kind === "s3" && store.profile !== undefined) process.env["AWS_PROFILE"] = store.profile;
  return new RetryLayer(await openStore(store));
}
