import { existsSync } from "node:fs";
import { openSqlite, type Metadata } from "@holdall/metadata";
import { createDataFolder, databasePath } from "../data-folder.ts";
import { CommandError } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { loadFor, type WhereOptions } from "./options.ts";

/**
 * Opens the database for one command and closes it again. A server may be running on it.
 * @throws CommandError when there is none and the command does not create one
 */
export async function withData<T>(
  io: Io,
  where: WhereOptions,
  o: { readonly create: boolean },
  use: (metadata: Metadata) => Promise<T>,
): Promise<T> {
  const { data } = (await loadFor(io, where)).config;
  const file = databasePath(data);
  if (o.create) await createDataFolder(data);
  else if (!existsSync(file)) {
    throw new CommandError(
      `there is no Holdall data in ${data}; name its folder with --data, or start with "holdall serve" or "holdall user add"`,
    );
  }
  const metadata = await openSqlite({ file });
  try {
    return await use(metadata);
  } finally {
    await metadata.close();
  }
}
