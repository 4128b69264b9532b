import { randomBytes } from "node:crypto";
import { StorageError } from "../../errors.ts";
import { Intake } from "../../intake.ts";
import type { ObjectKey } from "../../key.ts";
import type {
  CallOptions,
  Capabilities,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PutOptions,
  StoredObject,
} from "../../port.ts";
import { Layer } from "../layer.ts";
import { plainSize, SegmentCipher, storedSize } from "./format.ts";
import { makeHeader, SALT } from "./header.ts";
import type { Keyring } from "./keyring.ts";
import { openObject } from "./open-object.ts";
import { sealed } from "./sealed-body.ts";

/**
 * Keeps objects encrypted in any store: whoever reads the store learns their keys (which are not encrypted) and their
 * sizes, and whoever writes to it can put nothing there that would be taken for an object. Format and guarantees are in
 * docs/design/encryption.md. `stat` and `list` tell sizes without looking into objects; only reading one finds out whether
 * it is authentic.
 *
 * An object is bound to its key, and comes out of the store only to be decrypted, so nothing is copied within the store and
 * no request is presigned. Parts are not taken either: the size of an object would no longer follow from what is stored.
 * @throws StorageError, beyond what the port says, from `get` and its body: `corrupt` for what is not encrypted or not what
 *   was put under that key, `denied` for what is under a key that is not in the keyring
 */
export class EncryptLayer extends Layer {
  readonly #keyring: Keyring;

  constructor(inner: ObjectStore, keyring: Keyring) {
    super(inner);
    this.#keyring = keyring;
  }

  override get capabilities(): Capabilities {
    return {
      ...this.inner.capabilities,
      // What the store would check is not the body's digest.
      checkSha256: false,
      copy: false,
      presignGet: false,
      presignPut: false,
      presignSha256: false,
      multipart: false,
      presignPart: false,
    };
  }

  override get multipart(): undefined {
    return undefined;
  }

  override async stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    const stat = await this.inner.stat(key, o);
    return stat === undefined ? undefined : decryptedStat(stat);
  }

  override get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    return openObject({ inner: this.inner, keyring: this.#keyring }, key, o);
  }

  override async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    // What is stored is not of the body's type, and what it says of the body is not for everybody to read.
    const { size, sha256, contentType: _, contentDisposition: _disposition, metadata: _metadata, ...others } = o;
    const { handOver = false, ...rest } = others;
    const intake = new Intake(body, o);
    try {
      if (sha256 !== undefined) {
        throw new StorageError("unsupported", "encryption does not check digests: wrap the store in the verify layer");
      }
      const { current } = this.#keyring;
      const header = makeHeader(current.id, randomBytes(SALT));
      const cipher = new SegmentCipher(current, header, key);
      const stored = sealed(intake, { size, header, cipher, handOver });
      const { etag } = await this.inner.put(key, stored, { ...rest, size: storedSize(size), handOver: true });
      return { key, size, etag };
    } finally {
      await intake.return();
    }
  }

  override async *list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat> {
    for await (const stat of this.inner.list(prefix, o)) yield decryptedStat(stat);
  }

  override async copy(): Promise<never> {
    throw new StorageError("unsupported", "an encrypted object is bound to its key: read it and put it again");
  }

  override async presign(): Promise<never> {
    throw new StorageError("unsupported", "only the server can decrypt: have the bytes go through it");
  }
}

function decryptedStat({ key, size, etag, modifiedAt }: ObjectStat): ObjectStat {
  return { key, size: plainSize(size), etag, modifiedAt };
}
