import type { ObjectStore } from "../port.ts";
import { connectS3 } from "./client.ts";
import type { S3Location } from "./options.ts";
import { S3Store } from "./store.ts";

/** Opens the store. Loads the SDK, so this module is only ever imported when a store of this kind is to be opened. */
export async function openS3(location: S3Location): Promise<ObjectStore> {
  return new S3Store(await connectS3(location));
}
