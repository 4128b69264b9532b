import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { openStore, parseStoreUrl } from "@holdall/object-store";
import type { CloudStore } from "../../support/cloud-stores.ts";

/** What can be seen in a store. */
export interface StoreContents {
  /** The oids of all objects. */
  readonly oids: readonly string[];
  /** The keys at which uploads wait that are not objects yet. */
  readonly waiting: readonly string[];
}

/** One of the things in a store. */
export interface Visible {
  readonly key: string;
  /** Of this version, in this store and all others. */
  readonly version: string;
  readonly read: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Versions of objects that have been read. */
const sound = new Set<string>();

/** What is visible as an object must have its bytes. */
export async function inspect(visible: AsyncIterable<Visible> | Iterable<Visible>): Promise<StoreContents> {
  const oids: string[] = [];
  const waiting: string[] = [];
  for await (const { key, version, read } of visible) {
    if (key.startsWith("holdall-incoming/")) waiting.push(key);
    if (key === "holdall-store" || key.startsWith("holdall-incoming/")) continue;
    const oid = key.slice(key.lastIndexOf("/") + 1);
    assert.equal(key, `objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`, "nothing else is visible");
    if (!sound.has(version)) {
      const hash = createHash("sha256");
      for await (const chunk of read()) hash.update(chunk);
      assert.equal(hash.digest("hex"), oid, "a visible object has its bytes");
      sound.add(version);
    }
    oids.push(oid);
  }
  return { oids: oids.toSorted(), waiting };
}

/** Looks at everything in a store. */
export async function contentsOf({ url, env }: CloudStore): Promise<StoreContents> {
  // The libraries of the clouds look there.
  Object.assign(process.env, env);
  const store = await openStore(parseStoreUrl(url));
  try {
    return await inspect(
      (async function* () {
        for await (const { key, etag } of store.list("")) {
          yield {
            key,
            version: `${url} ${key} ${etag}`,
            read: async function* () {
              yield* (await store.get(key)).body;
            },
          };
        }
      })(),
    );
  } finally {
    await store.close();
  }
}
