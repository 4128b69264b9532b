import { access } from "node:fs/promises";
import { openSqlite, type Metadata } from "@holdall/metadata";
import { errnoOf } from "@holdall/object-store";
import { createDataFolder, databasePath } from "../data-folder.ts";
import { CommandError } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { loadFor, type WhereOptions } from "./options.ts";

/**
 * Opens the database for one command and closes it again. A server may be running on it.
 * @throws CommandError when there is none and the command does not create one, or this user may not look
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
  else await mustBeThere(data, file);
  const metadata = await openSqlite({ file });
  try {
    return await use(metadata);
  } finally {
    await metadata.close();
  }
}

async function mustBeThere(data: string, file: string): Promise<void> {
  try {
    await access(file);
  } catch (cause) {
    const code = errnoOf(cause);
    throw new CommandError(
      code === "ENOENT" || code === "ENOTDIR"
        ? `there is no Holdall data in ${data}; name its folder with --data, or start with "holdall serve" or "holdall user add"`
        : `cannot look into the data folder ${data} (${code ?? String(cause)}): do this as the user who runs the server, or give this user the right to`,
      { cause },
    );
  }
}
