import {
  BlobSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from "@azure/storage-blob";

/** Of the service, by whose rules signed requests are read; not the SDK's newest, which other services do not know yet. */
const VERSION = "2024-11-04";

const MINUTE = 60_000;
/** The longest that the service gives out keys for, less what its clock and ours may differ by. */
const KEY_LIFE = 7 * 24 * 60 * MINUTE - 15 * MINUTE;
/** A key this young is as good as a new one. */
const FRESH = 15 * MINUTE;

export interface Signing {
  readonly container: string;
  readonly blob: string;
  /** As letters: r, c, w. */
  readonly permissions: string;
  readonly expiresAt: Date;
  /** The address that it is for; where it has https, nothing else will do. */
  readonly url: string;
  readonly disposition?: string | undefined;
}

/** Signs requests for others (shared access signatures), with the account's key or with one that an identity is lent. */
export class Signer {
  readonly #keys: StorageSharedKeyCredential | DelegationKeys;

  constructor(keys: StorageSharedKeyCredential | DelegationKeys) {
    this.#keys = keys;
  }

  /**
   * The signature as a query. It may expire somewhat earlier than it was asked to: a lent key is good for seven days
   * from when it was lent, and nothing that it signed for longer.
   */
  async sign({ container, blob, permissions, expiresAt, url, disposition }: Signing): Promise<Signature> {
    const values = {
      version: VERSION,
      containerName: container,
      blobName: blob,
      permissions: BlobSASPermissions.parse(permissions),
      protocol: url.startsWith("https:") ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
      ...(disposition === undefined ? {} : { contentDisposition: disposition }),
    };
    if (this.#keys instanceof StorageSharedKeyCredential) {
      const query = generateBlobSASQueryParameters({ ...values, expiresOn: expiresAt }, this.#keys);
      return { query: query.toString(), expiresAt };
    }
    const key = await this.#keys.until(expiresAt);
    const expiresOn = key.signedExpiresOn < expiresAt ? key.signedExpiresOn : expiresAt;
    const query = generateBlobSASQueryParameters({ ...values, expiresOn }, key, this.#keys.account);
    return { query: query.toString(), expiresAt: expiresOn };
  }
}

export interface Signature {
  readonly query: string;
  readonly expiresAt: Date;
}

interface LentKey {
  readonly key: Promise<UserDelegationKey>;
  readonly lentAt: number;
}

/** User delegation keys: lent to an identity, kept, and asked for anew when they would expire too early. */
export class DelegationKeys {
  readonly account: string;
  readonly #lend: (startsOn: Date, expiresOn: Date) => Promise<UserDelegationKey>;
  #lent: LentKey | undefined;

  constructor(account: string, lend: (startsOn: Date, expiresOn: Date) => Promise<UserDelegationKey>) {
    this.account = account;
    this.#lend = lend;
  }

  /** A key for signatures that expire then, or one that was lent just now. */
  async until(expiresAt: Date): Promise<UserDelegationKey> {
    const now = Date.now();
    const kept = this.#lent;
    const good = kept !== undefined && (kept.lentAt + KEY_LIFE >= expiresAt.getTime() || kept.lentAt + FRESH > now);
    const lent = good ? kept : { key: this.#lend(new Date(now - FRESH), new Date(now + KEY_LIFE)), lentAt: now };
    this.#lent = lent;
    try {
      return await lent.key;
    } catch (error) {
      if (this.#lent === lent) this.#lent = undefined;
      throw error;
    }
  }
}
