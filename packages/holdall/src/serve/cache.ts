import { CacheLayer, formatStoreUrl, type ObjectStore } from "@holdall/object-store";
import type { Config } from "../config/index.ts";
import { cachePath } from "../data-folder.ts";
import type { Logger } from "../log.ts";

const TELL_EVERY = 3_600_000;

/** A store with a cache in front of it. Disposing of it ends what it tells the log, not the store. */
export interface Cache extends Disposable {
  readonly store: ObjectStore;
}

/**
 * The cache that the configuration asks for. Its counts go into the log, every hour and when it is disposed of.
 * @param store what is in the cloud, as it is there
 */
export function openCache(store: ObjectStore, config: Config, logger: Logger): Cache | undefined {
  if (config.cache === undefined) return undefined;
  const { path = cachePath(config.data), size } = config.cache;
  const cache = new CacheLayer(store, {
    path,
    size,
    processes: config.workers,
    store: contentOf(config),
    onFault: (error) => logger.warn({ err: error, path }, "the cache's disk fails: reads go to the store"),
  });
  const tell = (): void => {
    const { stats } = cache;
    // The process that watches over workers reads nothing.
    if (stats.hits + stats.joined + stats.misses + stats.passed > 0) logger.info(stats, "the cache so far");
  };
  const timer = setInterval(tell, TELL_EVERY).unref();
  return {
    store: cache,
    [Symbol.dispose]() {
      clearInterval(timer);
      tell();
    },
  };
}

/** What the bytes in the store depend on: under other keys an object is other bytes. */
function contentOf({ store, encryption }: Config): string {
  return [formatStoreUrl(store), ...encryption.keys.map(({ id }) => id).sort()].join(" ");
}
