import { parseKey, type ObjectKey } from "@holdall/object-store/open";

export const MANIFEST_KEY: ObjectKey = parseKey("holdall/manifest.json");

/** What plain tools read. */
export const VIEW_KEYS: Readonly<
  Record<"head" | "config" | "refsFolder" | "packedRefs" | "infoRefs" | "infoPacks", ObjectKey>
> = {
  head: parseKey("HEAD"),
  config: parseKey("config"),
  // Git takes no folder for a repository that has no `refs`; the lock of a ref is none to it.
  refsFolder: parseKey("refs/holdall.lock"),
  packedRefs: parseKey("packed-refs"),
  infoRefs: parseKey("info/refs"),
  infoPacks: parseKey("objects/info/packs"),
};

export const PACKS_PREFIX = "objects/pack/";

const PACK_FILE = /^objects\/pack\/(pack-[0-9a-f]{40}(?:[0-9a-f]{24})?)\.(?:pack|idx)$/;

/** The name of the pack that a key is a file of; undefined for other keys. */
export function packNameIn(key: ObjectKey): string | undefined {
  return PACK_FILE.exec(key)?.[1];
}

/** @param name `pack-` and the checksum */
export function packKey(name: string): ObjectKey {
  return parseKey(`${PACKS_PREFIX}${name}.pack`);
}

export function indexKey(name: string): ObjectKey {
  return parseKey(`${PACKS_PREFIX}${name}.idx`);
}

/** So many that names sort by it for longer than anybody pushes. */
const GENERATION_DIGITS = 12;

/** The object of the log that ends with this change. */
export function logKey({ generation, transaction }: { generation: number; transaction: string }): ObjectKey {
  return parseKey(`holdall/log/${String(generation).padStart(GENERATION_DIGITS, "0")}-${transaction}.json`);
}
