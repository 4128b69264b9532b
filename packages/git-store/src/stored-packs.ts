import type { ObjectStore } from "@holdall/object-store/open";
import { indexKey, packNameIn, PACKS_PREFIX } from "./keys.ts";
import type { Manifest, PackEntry } from "./manifest.ts";

/** What the store has of a pack. */
export interface StoredPack {
  /** Bytes; undefined when it is not there. */
  readonly size: number | undefined;
  /** Bytes of the index; undefined when it is not there. */
  readonly indexSize: number | undefined;
  /** Of the file that came last. */
  readonly modifiedAt: Date;
}

/** All packs that are in the store, by their names, whoever named them or not. */
export async function storedPacks(store: ObjectStore): Promise<ReadonlyMap<string, StoredPack>> {
  const packs = new Map<string, StoredPack>();
  for await (const { key, size, modifiedAt } of store.list(PACKS_PREFIX)) {
    const name = packNameIn(key);
    if (name === undefined) continue;
    const other = packs.get(name) ?? { size: undefined, indexSize: undefined, modifiedAt };
    packs.set(name, {
      ...other,
      ...(key === indexKey(name) ? { indexSize: size } : { size }),
      modifiedAt: other.modifiedAt > modifiedAt ? other.modifiedAt : modifiedAt,
    });
  }
  return packs;
}

/** Where an index of version 2 has the number of its objects (git: Documentation/gitformat-pack). */
const OBJECTS_AT = { start: 8 + 255 * 4, end: 8 + 256 * 4 - 1 };

/** A pack as a manifest would name it, by what the store has of it. Undefined when it has not both files. */
export async function entryInStore(
  store: ObjectStore,
  name: string,
  { size, indexSize, modifiedAt: at }: StoredPack,
): Promise<PackEntry | undefined> {
  if (size === undefined || indexSize === undefined || indexSize <= OBJECTS_AT.end) return undefined;
  const { body } = await store.get(indexKey(name), { range: OBJECTS_AT });
  const objects = Buffer.concat(await Array.fromAsync(body)).readUInt32BE();
  return { name, size, indexSize, objects, at };
}

/** What is wrong with the packs that a manifest names, by their names, as far as it shows without reading them. */
export function missingPacks(
  { packs, deleting }: Pick<Manifest, "packs" | "deleting">,
  stored: ReadonlyMap<string, StoredPack>,
): ReadonlyMap<string, string> {
  const problems = new Map<string, string>();
  for (const { name, size, indexSize } of packs) {
    const there = stored.get(name);
    const files = [
      ["pack", size, there?.size],
      ["idx", indexSize, there?.indexSize],
    ] as const;
    for (const [ending, wanted, found] of files) {
      if (found === undefined) problems.set(name, `${name}.${ending} is not in the store`);
      else if (found !== wanted) problems.set(name, `${name}.${ending} has ${found} bytes, not ${wanted}`);
    }
    if (deleting.includes(name)) problems.set(name, `${name} is named, and being deleted`);
  }
  return problems;
}
