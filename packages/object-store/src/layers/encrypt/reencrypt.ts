import { StorageError } from "../../errors.ts";
import { ahead } from "../../fs/ahead.ts";
import type { ObjectKey } from "../../key.ts";
import type { ObjectStore } from "../../port.ts";
import { VerifyLayer } from "../verify.ts";
import { EncryptLayer } from "./encrypt-layer.ts";
import { keyMissing, notEncrypted } from "./errors.ts";
import { getHead, readHeader } from "./header.ts";
import type { Keyring } from "./keyring.ts";

/** How many objects are worked on at once. */
const AT_ONCE = 8;
/** How often an object may be replaced by others between a look at it and its own replacement. */
const ATTEMPTS = 5;

export interface ReencryptOptions {
  readonly keyring: Keyring;
  /** Also encrypt what is not encrypted. Nothing has protected it until now, so that is for who trusts it all the same. */
  readonly includePlain: boolean;
  /** The digest that an object which is not encrypted must have, where its key tells. */
  readonly sha256Of: (key: ObjectKey) => string | undefined;
  /** Change nothing. */
  readonly dryRun: boolean;
}

/** What became of an object. */
export type Reencrypted =
  /** It is under the current key. */
  | { readonly key: ObjectKey; readonly outcome: "current" }
  /** It was put under the current key; in a dry run, it would be. */
  | { readonly key: ObjectKey; readonly outcome: "rewritten" }
  /** It stays as it is. The reason names it. */
  | { readonly key: ObjectKey; readonly outcome: "failed"; readonly reason: string };

/**
 * Puts all objects under the current key, and tells what became of each. May run while others read and write, twice at once,
 * and again after it was interrupted: an object is replaced in one step, and not if somebody else has replaced it meanwhile.
 * (A store that cannot compare has no objects that change, so there the bytes are the same.) An object that cannot be read
 * does not end it.
 * @param store what is below the encrypt layer
 * @throws StorageError when the store fails
 */
export async function* reencrypt(store: ObjectStore, o: ReencryptOptions): AsyncGenerator<Reencrypted> {
  const encrypted = new VerifyLayer(new EncryptLayer(store, o.keyring));
  for await (const done of ahead(store.list(""), AT_ONCE, ({ key }) => reencryptOne({ store, encrypted }, key, o))) {
    if (done !== undefined) yield done;
  }
}

/** The same objects, as they are and as they come out. */
interface Both {
  readonly store: ObjectStore;
  readonly encrypted: ObjectStore;
}

/** Undefined when the object is gone. */
async function reencryptOne(both: Both, key: ObjectKey, o: ReencryptOptions): Promise<Reencrypted | undefined> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      return await attemptOne(both, key, o);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "not-found") return undefined;
      if (error.code === "corrupt" || error.code === "unsupported") return failed(key, error);
      if (error.code !== "conflict") throw error;
    }
  }
  return { key, outcome: "failed", reason: `${key} was replaced each time that it was looked at: run this again` };
}

/** @throws StorageError `conflict` when the object was replaced meanwhile */
async function attemptOne({ store, encrypted }: Both, key: ObjectKey, o: ReencryptOptions): Promise<Reencrypted> {
  const { head, etag } = await getHead(store, key);
  const header = readHeader(key, head);
  if (header?.keyId === o.keyring.current.id) return { key, outcome: "current" };
  if (header === undefined && !o.includePlain) return failed(key, notEncrypted(key));
  if (header !== undefined && o.keyring.find(header.keyId) === undefined) {
    return failed(key, keyMissing(key, header.keyId));
  }
  if (o.dryRun) return { key, outcome: "rewritten" };
  const object = await (header === undefined ? store : encrypted).get(key);
  // What was plain a moment ago may be encrypted now, and would be encrypted twice.
  if (object.etag !== etag) {
    await object.body[Symbol.asyncIterator]().return?.();
    throw new StorageError("conflict", `${key} was replaced`);
  }
  const sha256 = header === undefined ? o.sha256Of(key) : undefined;
  try {
    await encrypted.put(key, object.body, {
      size: object.size,
      // What comes out of the encrypt layer is in memory of its own.
      handOver: header !== undefined,
      ...(store.capabilities.compareAndSwap ? { ifMatch: etag } : {}),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  } catch (cause) {
    if (sha256 === undefined || !(cause instanceof StorageError && cause.code === "corrupt")) throw cause;
    const message = `${key} is not what its name says, so it stays as it is; restore it: ${cause.message}`;
    throw new StorageError("corrupt", message, { cause });
  }
  return { key, outcome: "rewritten" };
}

function failed(key: ObjectKey, { message: reason }: StorageError): Reencrypted {
  return { key, outcome: "failed", reason };
}
