import { createSecretKey, type KeyObject } from "node:crypto";
import { StorageError } from "../../errors.ts";

/** A key by which objects are encrypted, and the name that they bear of it. */
export interface EncryptionKey {
  readonly id: string;
  /** 256 bits. */
  readonly key: KeyObject;
}

const KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const HEX = /^[0-9a-f]{64}$/i;
/** 32 bytes, with the last character's two spare bits unset, in either alphabet. */
const BASE64 = /^[\w+/-]{42}[AEIMQUYcgkosw048]=?$/;

export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Reads the name of a key, which anybody may see. @throws StorageError `invalid` */
export function parseKeyId(text: string): string {
  if (isKeyId(text)) return text;
  throw new StorageError(
    "invalid",
    `${JSON.stringify(text)} is no key id: use up to 32 letters, digits, dots, hyphens and underscores`,
  );
}

/** Reads a key: 32 bytes as hexadecimal digits or as base64. @throws StorageError `invalid`, which does not show the text */
export function parseEncryptionKey(text: string): KeyObject {
  if (HEX.test(text)) return createSecretKey(text, "hex");
  if (BASE64.test(text)) return createSecretKey(text, "base64");
  throw new StorageError(
    "invalid",
    'it is not 32 bytes in base64 or hexadecimal digits: make one with "openssl rand -base64 32"',
  );
}

/** The keys that objects may be under, and the one that new objects are put under. */
export class Keyring {
  readonly current: EncryptionKey;
  readonly #keys = new Map<string, EncryptionKey>();

  /** @throws StorageError `invalid` when two keys have one id, or none is the current one */
  constructor({ current, keys }: { readonly current: string; readonly keys: readonly EncryptionKey[] }) {
    for (const key of keys) {
      if (this.#keys.has(key.id))
        throw new StorageError("invalid", `two keys have the id ${key.id}: give each one of its own`);
      this.#keys.set(key.id, key);
    }
    const found = this.#keys.get(current);
    if (found === undefined)
      throw new StorageError(
        "invalid",
        `there is no key with the id ${current}, which is to be the current one: add it`,
      );
    this.current = found;
  }

  find(id: string): EncryptionKey | undefined {
    return this.#keys.get(id);
  }
}
