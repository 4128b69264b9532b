import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "../../../test/folder.ts";
import { objectStoreContract } from "../../contract.ts";
import { MiB } from "../../contract/contract-test.ts";
import { FsStore } from "../../fs/store.ts";
import type { ObjectKey } from "../../key.ts";
import { MemoryStore } from "../../memory/store.ts";
import type { Capabilities, GetOptions, ObjectStore, StoredObject } from "../../port.ts";
import { Layer } from "../layer.ts";
import { CacheLayer } from "./cache-layer.ts";

const inMemory: readonly (keyof Capabilities)[] = [
  "checkSha256",
  "presignGet",
  "presignPut",
  "presignSha256",
  "multipart",
  "presignPart",
];
const inFolder = inMemory.filter((capability) => capability !== "multipart");

async function cacheOf(t: TestContext, store: ObjectStore): Promise<CacheLayer> {
  return new CacheLayer(store, { path: await temporaryFolder(t), size: 256 * MiB, store: "the only one" });
}

/** Takes every object for one that never changes: those that the cache hears of being changed are right even so. */
class AllImmutable extends Layer {
  override get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    return this.inner.get(key, { ...o, immutable: true });
  }
}

objectStoreContract({
  name: "a cache",
  lacks: inMemory,
  create: (t) => cacheOf(t, new MemoryStore()),
});

objectStoreContract({
  name: "a cache that answers every read",
  lacks: inMemory,
  create: async (t) => new AllImmutable(await cacheOf(t, new MemoryStore())),
});

objectStoreContract({
  name: "a cache that answers every read of a folder",
  lacks: inFolder,
  create: async (t) => new AllImmutable(await cacheOf(t, new FsStore(join(await temporaryFolder(t), "store")))),
  deviations: [
    {
      test: "a key and one below it live side by side",
      reason: "the folder behind it cannot: a name is a file or a folder",
    },
  ],
});
