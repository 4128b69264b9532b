import { openSqlite, type Metadata } from "@holdall/metadata";
import {
  EncryptLayer,
  formatStoreUrl,
  isEncrypted,
  openStore,
  parseKey,
  RetryLayer,
  StorageError,
  VerifyLayer,
  type ObjectStore,
  type StoreUrl,
} from "@holdall/object-store";
import { sweepUploads } from "@holdall/lfs-service";
import { keyringOf, type Config } from "../config/index.ts";
import { databasePath } from "../data-folder.ts";
import type { Logger } from "../log.ts";
import { openCache } from "./cache.ts";
import { StartError } from "./errors.ts";

const SWEEP_EVERY = 3_600_000;

/** Where one process keeps things: what the configuration names. Disposing of it closes both. */
export interface Storage extends AsyncDisposable {
  readonly metadata: Metadata;
  /** With the layers that the server relies on. */
  readonly store: ObjectStore;
}

/** Opens both, and brings the database up to date if it is not. @throws MetadataError, StorageError */
export async function openStorage(config: Config, logger: Logger): Promise<Storage> {
  const raw = await openRawStore(config.store);
  const cache = openCache(raw, config, logger);
  const keyring = keyringOf(config);
  // The cache is below the encryption: what it keeps is then encrypted too.
  const stored = cache?.store ?? raw;
  const store = new VerifyLayer(keyring === undefined ? stored : new EncryptLayer(stored, keyring));
  const metadata = await openSqlite({ file: databasePath(config.data) });
  return {
    metadata,
    store,
    async [Symbol.asyncDispose]() {
      cache?.[Symbol.dispose]();
      await metadata.close();
      await store.close();
    },
  };
}

/** The store with what is in it as it is there, encrypted or not. @throws StorageError */
export async function openRawStore(url: StoreUrl): Promise<ObjectStore> {
  const opened = await openStore(url);
  // A disk that fails does so again at once; what is at the other end of a network comes back.
  return isRemote(url) ? new RetryLayer(opened) : opened;
}

function isRemote({ kind }: StoreUrl): boolean {
  return kind !== "file" && kind !== "memory";
}

/** A note for whoever looks into the store, and the proof that the server can write there. Nothing else is below it. */
const NOTE_KEY = parseKey("holdall-store");
const NOTE = Buffer.from("Holdall keeps Git LFS objects in this store. See https://git-lfs.com for what they are.\n");

/**
 * Writes to a store in a cloud or with encryption, reads and lists: better refused now than at the first upload. Any store
 * that is encrypted wants its keys, or the next uploads would not be.
 * @throws StartError that names the store and what it does not let us do
 */
export async function tryStore(store: ObjectStore, config: Config): Promise<void> {
  const { store: url } = config;
  if (!isRemote(url) && keyringOf(config) === undefined) {
    if ((await store.stat(NOTE_KEY)) !== undefined) await readNote(store, config);
    return;
  }
  const attempts: readonly (readonly [what: string, attempt: () => Promise<unknown>])[] = [
    ["look for an object in", () => store.stat(NOTE_KEY)],
    ["write to", () => writeNote(store)],
    ["read from", () => readNote(store, config)],
    ["list", async () => store.list(NOTE_KEY)[Symbol.asyncIterator]().next()],
  ];
  for (const [what, attempt] of attempts) {
    try {
      await attempt();
    } catch (cause) {
      if (!(cause instanceof StorageError)) throw cause;
      throw new StartError(`cannot ${what} the store ${formatStoreUrl(url)}: ${cause.message}`, { cause });
    }
  }
}

async function writeNote(store: ObjectStore): Promise<void> {
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield NOTE;
  };
  const { putIfAbsent } = store.capabilities;
  try {
    await store.put(NOTE_KEY, body(), { size: NOTE.length, contentType: "text/plain", ifAbsent: putIfAbsent });
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "conflict")) throw error;
  }
}

async function readNote(store: ObjectStore, config: Config): Promise<void> {
  const note = Buffer.concat(await Array.fromAsync((await store.get(NOTE_KEY)).body));
  if (keyringOf(config) !== undefined || !isEncrypted(note)) return;
  throw new StartError(
    `the objects in ${formatStoreUrl(config.store)} are encrypted: name their keys in encryption.keys`,
  );
}

/** What there is to keep in order. */
interface Housed {
  readonly store: ObjectStore;
  readonly metadata: { readonly uploads: Pick<Metadata["uploads"], "list" | "remove"> };
}

/**
 * What one process does for all that serve: clears away what crashed and abandoned uploads have left, now and every hour.
 * @param o.actionLifetime in milliseconds
 */
export async function keepHouse(
  storage: Housed,
  { logger, actionLifetime }: { logger: Logger; actionLifetime: number },
): Promise<Disposable> {
  const clear = (): Promise<void> => sweep(storage, logger, Math.ceil(actionLifetime / 1000));
  await clear();
  const timer = setInterval(() => void clear(), SWEEP_EVERY);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** A sweep that fails is tried again in an hour; serving does not depend on it. */
async function sweep({ metadata, store }: Housed, logger: Logger, lifetime: number): Promise<void> {
  const { uploads } = metadata;
  const sweeps = [store.sweep(), sweepUploads(store, { uploads, lifetime })];
  let removed = 0;
  for (const outcome of await Promise.allSettled(sweeps)) {
    if (outcome.status === "fulfilled") removed += outcome.value;
    else logger.error({ err: outcome.reason }, "could not remove all that unfinished uploads have left behind");
  }
  if (removed > 0) logger.info({ removed }, "removed what unfinished uploads had left behind");
}
