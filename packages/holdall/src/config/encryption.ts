import { Keyring } from "@holdall/object-store";
import type { Config } from "./schema.ts";

/**
 * The keys that objects are encrypted with; undefined when they are not encrypted.
 * @throws StorageError `invalid` when they contradict each other, which a configuration that was loaded does not do
 */
export function keyringOf({ encryption: { current, keys } }: Pick<Config, "encryption">): Keyring | undefined {
  return current === undefined ? undefined : new Keyring({ current, keys });
}
