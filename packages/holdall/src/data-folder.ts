import { join } from "node:path";
import { makeDurableFolder } from "@holdall/object-store";

// Where things are in the data folder. These names are kept for all time: they are what an upgrade finds.

/** The SQLite database. */
export function databasePath(data: string): string {
  return join(data, "holdall.db");
}

/** The secret that signs action tokens, when the configuration has none. */
export function secretPath(data: string): string {
  return join(data, "secret");
}

/** Copies of objects, when there is a cache and the configuration does not say where. */
export function cachePath(data: string): string {
  return join(data, "cache");
}

/** For its owner only: it holds password hashes and the secret. */
export const DATA_FOLDER_MODE = 0o700;

/** Makes the data folder if need be. */
export async function createDataFolder(data: string): Promise<void> {
  await makeDurableFolder(data, DATA_FOLDER_MODE);
}
