import { mkdir } from "node:fs/promises";
import { join } from "node:path";

// Where things are in the data folder. These names are kept for all time: they are what an upgrade finds.

/** The SQLite database. */
export function databasePath(data: string): string {
  return join(data, "holdall.db");
}

/** The secret that signs action tokens, when the configuration has none. */
export function secretPath(data: string): string {
  return join(data, "secret");
}

/** Makes the data folder if need be, for its owner only: it holds password hashes and the secret. */
export async function createDataFolder(data: string): Promise<void> {
  await mkdir(data, { recursive: true, mode: 0o700 });
}
