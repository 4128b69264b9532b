import { openStore, RetryLayer, type ObjectStore } from "@holdall/object-store";
import type { RemoteUrl } from "./remote-url.ts";

/** Opens the store that a remote is in. Asks nothing of it yet. @throws StorageError */
export async function openRemote({ store }: RemoteUrl): Promise<ObjectStore> {
  return new RetryLayer(await openStore(store));
}
