import { openSqlite, type Metadata } from "@holdall/metadata";
import { openStore, VerifyLayer, type ObjectStore } from "@holdall/object-store";
import type { Config } from "../config/index.ts";
import { databasePath } from "../data-folder.ts";
import type { Logger } from "../log.ts";

const SWEEP_EVERY = 3_600_000;

/** Where one process keeps things: what the configuration names. Disposing of it closes both. */
export interface Storage extends AsyncDisposable {
  readonly metadata: Metadata;
  /** With the layers that the server relies on. */
  readonly store: ObjectStore;
}

/** Opens both, and brings the database up to date if it is not. @throws MetadataError */
export async function openStorage(config: Config): Promise<Storage> {
  const store = new VerifyLayer(await openStore(config.store));
  const metadata = await openSqlite({ file: databasePath(config.data) });
  return {
    metadata,
    store,
    async [Symbol.asyncDispose]() {
      await metadata.close();
      await store.close();
    },
  };
}

/** What one process does for all that serve: clears away what crashed uploads have left, now and every hour. */
export async function keepHouse(store: ObjectStore, logger: Logger): Promise<Disposable> {
  await sweep(store, logger);
  const timer = setInterval(() => void sweep(store, logger), SWEEP_EVERY);
  return { [Symbol.dispose]: () => clearInterval(timer) };
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
