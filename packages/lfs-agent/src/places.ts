import { flatPath, shardedPath } from "@holdall/lfs-protocol/layout";
import type { Oid } from "@holdall/lfs-protocol/oid";
import { parseKey, type ObjectKey, type ObjectStore } from "@holdall/object-store/open";

/** A way to keep objects in a store. */
export interface Place {
  readonly keyOf: (oid: Oid) => ObjectKey;
  /** How the bytes are packed; undefined: not at all. */
  readonly packed?: "zstd" | "gzip";
}

/** As mirrors and bare repositories keep objects. */
export const SHARDED: Place = { keyOf: (oid) => parseKey(shardedPath(oid)) };

/** As git-remote-s3 keeps them. */
const FLAT: Place = { keyOf: (oid) => parseKey(flatPath(oid)) };

/** As lfs-s3 keeps them, by its setting `compression`. Nothing is written there. */
const PACKED: readonly Place[] = [
  { keyOf: (oid) => parseKey(`${oid}.zstd`), packed: "zstd" },
  { keyOf: (oid) => parseKey(`${oid}.gz`), packed: "gzip" },
  { keyOf: (oid) => parseKey(oid) },
];

const FLAT_KEY = /^lfs\/[0-9a-f]{64}$/;
/** After every one of them. */
const LAST_FLAT = "lfs/g";

/** Where the objects of one store are. */
export class Places {
  readonly #store: ObjectStore;
  /** That of the last object which was found comes first. */
  readonly #order: Place[] = [SHARDED, FLAT, ...PACKED];
  #written: Place | undefined;

  /** @param o.flat objects are known to be written as git-remote-s3 does */
  constructor(store: ObjectStore, { flat }: { readonly flat: boolean }) {
    this.#store = store;
    if (!flat) return;
    this.#written = FLAT;
    this.found(FLAT);
  }

  /** Where an object may be, the likeliest place first. */
  get toRead(): readonly Place[] {
    return [...this.#order];
  }

  /** Notes where an object was. */
  found(place: Place): void {
    const at = this.#order.indexOf(place);
    this.#order.splice(at, 1);
    this.#order.unshift(place);
  }

  /** Where a new object goes, unless a look is needed to tell. */
  get written(): Place | undefined {
    return this.#written;
  }

  /** Where a new object goes: beside those of git-remote-s3, where there are any. Looks once. @throws StorageError */
  async toWrite(signal: AbortSignal): Promise<Place> {
    this.#written ??= (await this.#hasFlat(signal)) ? FLAT : SHARDED;
    return this.#written;
  }

  async #hasFlat(signal: AbortSignal): Promise<boolean> {
    // They sort before `objects/`. What programs for copying leave behind, such as `.DS_Store`, sorts before both.
    for await (const { key } of this.#store.list("lfs/", { signal })) {
      if (FLAT_KEY.test(key)) return true;
      if (key > LAST_FLAT) return false;
    }
    return false;
  }
}
