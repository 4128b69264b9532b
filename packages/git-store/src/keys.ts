import { parseKey, type ObjectKey } from "@holdall/object-store";

export const MANIFEST_KEY: ObjectKey = parseKey("holdall/manifest.json");

/** What plain tools read. */
export const VIEW_KEYS: Readonly<Record<"head" | "config" | "infoRefs" | "infoPacks", ObjectKey>> = {
  head: parseKey("HEAD"),
  config: parseKey("config"),
  infoRefs: parseKey("info/refs"),
  infoPacks: parseKey("objects/info/packs"),
};

/** @param name `pack-` and the checksum */
export function packKey(name: string): ObjectKey {
  return parseKey(`objects/pack/${name}.pack`);
}

export function indexKey(name: string): ObjectKey {
  return parseKey(`objects/pack/${name}.idx`);
}

/** So many that names sort by it for longer than anybody pushes. */
const GENERATION_DIGITS = 12;

export function logKey({ generation, transaction }: { generation: number; transaction: string }): ObjectKey {
  return parseKey(`holdall/log/${String(generation).padStart(GENERATION_DIGITS, "0")}-${transaction}.json`);
}
