import { openSqlite, type Metadata } from "@holdall/metadata";
import { openStore, VerifyLayer, type ObjectStore } from "@holdall/object-store";
import type { Config } from "../config/index.ts";
import { databasePath } from "../data-folder.ts";
import type { Logger } from "../log.ts";

const SWEEP_EVERY = 3_600_000;

/** The database that the configuration names. */
export async function openMetadata(config: Config): Promise<Metadata> {
  return await openSqlite({ file: databasePath(config.data) });
}

/** The store that the configuration names, with the layers that the server relies on. */
export function openObjects(config: Config): ObjectStore {
  return new VerifyLayer(openStore(config.store));
}

/**
 * What one process does for all that serve: brings the database up to date before anyone uses it, and clears away what
 * crashed uploads have left, now and every hour.
 */
export async function prepareStorage(config: Config, logger: Logger): Promise<AsyncDisposable> {
  const metadata = await openMetadata(config);
  await metadata.close();
  const store = openObjects(config);
  await sweep(store, logger);
  const timer = setInterval(() => void sweep(store, logger), SWEEP_EVERY);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await store.close();
    },
  };
}

/** A sweep that fails is tried again in an hour; serving does not depend on it. */
async function sweep(store: ObjectStore, logger: Logger): Promise<void> {
  try {
    const removed = await store.sweep();
    if (removed > 0) logger.info({ removed }, "removed what unfinished uploads had left behind");
  } catch (error) {
    logger.error({ err: error }, "could not remove what unfinished uploads have left behind");
  }
}
