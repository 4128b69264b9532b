import { StorageError } from "../../errors.ts";
import type { ObjectKey } from "../../key.ts";

export function notEncrypted(key: ObjectKey, cause?: unknown): StorageError {
  return new StorageError(
    "corrupt",
    `${key} is not encrypted, so anybody may have put it there: if it is yours, "holdall store reencrypt --include-plain" takes it in`,
    { cause },
  );
}

/** Not `corrupt`: nothing is wrong with the object, and nobody should put another in its place. */
export function keyMissing(key: ObjectKey, keyId: string): StorageError {
  return new StorageError(
    "denied",
    `${key} is encrypted with the key ${keyId}, which the configuration does not have: add it to encryption.keys`,
  );
}

export function notAuthentic(key: ObjectKey, keyId: string, cause?: unknown): StorageError {
  return new StorageError(
    "corrupt",
    `${key} cannot be decrypted: it is not what was put there, or ${keyId} is not the key of that name any more; if no object can be read, correct the key, otherwise restore this one`,
    { cause },
  );
}
