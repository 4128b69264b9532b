import type { ObjectStore } from "../port.ts";
import { AzureClient } from "./client.ts";
import { findAccess } from "./credentials.ts";
import type { AzureLocation } from "./options.ts";
import { AzureStore } from "./store.ts";

/**
 * Opens a store in Azure Blob Storage with the credentials of the environment. Asks nobody yet: whether they are good,
 * and whether there is such a container, comes out at the first call.
 * @throws StorageError `denied` when the environment and the location contradict each other
 */
export async function openAzure(location: AzureLocation, env: NodeJS.ProcessEnv = process.env): Promise<ObjectStore> {
  const access = await findAccess(location, env);
  return new AzureStore(new AzureClient(location, access), { prefix: location.prefix });
}
