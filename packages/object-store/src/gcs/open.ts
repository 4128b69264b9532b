import type { ObjectStore } from "../port.ts";
import { makeGcsClient } from "./client.ts";
import type { GcsLocation } from "./options.ts";
import { GcsStore } from "./store.ts";

/** Makes the store of a location. Touches nothing yet. */
export async function openGcs(location: GcsLocation): Promise<ObjectStore> {
  return new GcsStore(makeGcsClient(location), { prefix: location.prefix });
}
