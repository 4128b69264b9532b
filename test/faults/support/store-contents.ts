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

/** Versions of objects that were read already. */
const sound = new Set<string>();

/** Looks at everything in a store. What is visible as an object must have its bytes. */
export async function contentsOf({ url, env }: CloudStore): Promise<StoreContents> {
  // The libraries of the clouds look there.
  Object.assign(process.env, env);
  const store = await openStore(parseStoreUrl(url));
  const oids: string[] = [];
  const waiting: string[] = [];
  try {
    for await (const { key, etag } of store.list("")) {
      if (key.startsWith("holdall-incoming/")) waiting.push(key);
      if (key === "holdall-store" || key.startsWith("holdall-incoming/")) continue;
      const oid = key.slice(key.lastIndexOf("/") + 1);
      assert.equal(key, `objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`, "nothing else is visible");
      if (!sound.has(`${url} ${key} ${etag}`)) {
        const hash = createHash("sha256");
        for await (const chunk of (await store.get(key)).body) hash.update(chunk);
        assert.equal(hash.digest("hex"), oid, "a visible object has its bytes");
        sound.add(`${url} ${key} ${etag}`);
      }
      oids.push(oid);
    }
  } finally {
    await store.close();
  }
  return { oids, waiting };
}
