import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from "node:crypto";
import type { Oid, RepositoryName } from "@holdall/lfs-protocol";
import { BatchHmac } from "./batch-hmac.ts";
import { IdentityError } from "./errors.ts";

export type ActionOperation = "download" | "upload" | "verify";

/** What all tokens of one batch have in common. */
export interface ActionGrant {
  readonly repository: RepositoryName;
  readonly operation: ActionOperation;
  /** The name of the principal that the batch was answered for. */
  readonly principal: string;
  /** Rounded down to seconds. */
  readonly expiresAt: Date;
}

/** What a request asks for; it is signed but not repeated in the token. */
interface Request {
  readonly repository: RepositoryName;
  readonly oid: Oid;
  readonly operation: ActionOperation;
}

export const MIN_ACTION_SECRET_BYTES = 32;

/**
 * Signs and checks action tokens: a batch's decision that one object may be transferred, to be put into the transfer's URL,
 * so that the byte routes need no database to trust it.
 *
 * A token is `h1.<expiry>.<principal>.<size>.<mac>`: expiry (seconds since 1970) and size (bytes, empty when unknown) in
 * base 36, the principal in base64url, and the first 144 bits of an HMAC-SHA256 in base64url. Only unreserved URL
 * characters, under 150 of them for any user name. Repository, oid and operation are known from the request, so they are
 * signed but not repeated. The MAC's key is derived once for each batch:
 *
 *     key = HMAC-SHA256(secret, "holdall action token" NUL "h1.<expiry>.<principal>" NUL operation NUL repository)
 *     mac = HMAC-SHA256(key, oid "." size), its first 24 characters
 */
export class ActionTokens {
  /** The first signs; all are accepted. */
  readonly #secrets: readonly [KeyObject, ...KeyObject[]];
  /**
   * Keys of batches whose tokens were good a moment ago: the objects of a batch come one after the other, and deriving its
   * key costs several times what checking one token does. A few, because few batches are under way at once.
   */
  readonly #recent = new Map<string, Batch>();
  /** Tokens that were issued here a moment ago: most come back at once, and then there is nothing to compute. */
  readonly #issued = new IssuedTokens();

  /**
   * `secret` signs; tokens made with one of `previous` are still accepted, which lets a secret be replaced while transfers
   * run. Each has at least {@link MIN_ACTION_SECRET_BYTES} random bytes.
   * @throws IdentityError `invalid` for a shorter one
   */
  constructor(o: { readonly secret: Uint8Array; readonly previous?: readonly Uint8Array[] }) {
    this.#secrets = [secretKey(o.secret), ...(o.previous ?? []).map(secretKey)];
  }

  /**
   * Prepares the tokens of one batch; the function returned makes the one for an object. `size` is the object's, in bytes,
   * left out when the batch does not know it.
   * @throws IdentityError `invalid`, here and from the function, for an expiry or a size that is no number
   */
  issue(grant: ActionGrant): (oid: Oid, size?: number) => string {
    const expiry = base36(Math.floor(grant.expiresAt.getTime() / 1000), "expiry");
    const shared = `h1.${expiry}.${Buffer.from(grant.principal, "utf8").toString("base64url")}`;
    const hmac = batchHmac(this.#secrets[0], shared, grant);
    const { repository, operation, principal } = grant;
    const batch: Batch = {
      repository,
      operation,
      principal,
      hmac,
      expiresAt: new Date(Number.parseInt(expiry, 36) * 1000),
    };
    return (oid, size) => {
      const digits = size === undefined ? "" : base36(size, "size");
      const token = `${shared}.${digits}.${objectMac(hmac, oid, digits)}`;
      this.#issued.add(token, { batch, oid, size });
      return token;
    };
  }

  /**
   * Checks a token against what the request asks for, and returns what the batch said beside it. `size` is in bytes, absent
   * when the batch did not know it.
   * @throws IdentityError `invalid-action-token` for anything but a token issued for exactly this
   * @throws IdentityError `expired-action-token` from its expiry on
   */
  verify(
    token: string,
    o: Request & { readonly now: Date },
  ): { readonly size?: number; readonly principal: string; readonly expiresAt: Date } {
    const found = this.#issued.find(token, o) ?? this.#check(token, o);
    if (found === undefined) {
      throw new IdentityError(
        "invalid-action-token",
        `This URL was not issued for this ${o.operation}. Ask for a new one with a batch request.`,
      );
    }
    const { size } = found;
    const { expiresAt, principal } = found.batch;
    if (!(o.now < expiresAt)) {
      throw new IdentityError(
        "expired-action-token",
        `The URL for this ${o.operation} expired at ${expiresAt.toISOString()}. Ask for a new one with a batch request.`,
      );
    }
    return size === undefined ? { principal, expiresAt } : { size, principal, expiresAt };
  }

  /** What a token says that this process, or another with the same secret, has issued; undefined when it is not genuine. */
  #check(token: string, o: Request): Issued | undefined {
    const [, shared, expiry, principal, size, mac] = TOKEN.exec(token) ?? [];
    if (
      shared === undefined ||
      expiry === undefined ||
      principal === undefined ||
      size === undefined ||
      mac === undefined
    ) {
      return undefined;
    }
    const batch = this.#batchOf({ shared, expiry, principal, size, mac }, o);
    return batch && { batch, oid: o.oid, size: size === "" ? undefined : Number.parseInt(size, 36) };
  }

  #batchOf({ shared, expiry, principal, size, mac }: Parts, o: Request): Batch | undefined {
    const name = `${shared}\0${o.operation}\0${o.repository}`;
    const known = this.#recent.get(name);
    if (known !== undefined && isEqual(mac, objectMac(known.hmac, o.oid, size))) return known;
    for (const secret of this.#secrets) {
      const hmac = batchHmac(secret, shared, o);
      if (!isEqual(mac, objectMac(hmac, o.oid, size))) continue;
      const batch: Batch = {
        repository: o.repository,
        operation: o.operation,
        principal: Buffer.from(principal, "base64url").toString("utf8"),
        expiresAt: new Date(Number.parseInt(expiry, 36) * 1000),
        hmac,
      };
      // Only what a genuine token has earned is kept, so forged ones push nothing out.
      if (this.#recent.size >= MAX_RECENT) this.#recent.clear();
      this.#recent.set(name, batch);
      return batch;
    }
    return undefined;
  }
}

/** What the tokens of one batch have in common, and what they are checked with. */
interface Batch extends ActionGrant {
  readonly hmac: BatchHmac;
}

/** What one token says. */
interface Issued {
  readonly batch: Batch;
  readonly oid: Oid;
  readonly size: number | undefined;
}

/** The fields of a token, as they are written. */
interface Parts {
  /** The first three. */
  readonly shared: string;
  readonly expiry: string;
  readonly principal: string;
  readonly size: string;
  readonly mac: string;
}

/** The last thousand tokens or two, in two halves: when the younger one is full, the older one is forgotten. */
class IssuedTokens {
  #younger = new Map<string, Issued>();
  #older = new Map<string, Issued>();

  add(token: string, issued: Issued): void {
    if (this.#younger.size >= MAX_ISSUED / 2) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(token, issued);
  }

  /** What the token says, if it is known and is for exactly this. */
  find(token: string, { repository, operation, oid }: Request): Issued | undefined {
    const issued = this.#younger.get(token) ?? this.#older.get(token);
    if (issued === undefined || issued.oid !== oid) return undefined;
    const { batch } = issued;
    return batch.operation === operation && batch.repository === repository ? issued : undefined;
  }
}

/** Several hundred bytes each. */
const MAX_ISSUED = 2048;

/** Enough for the batches of a busy second or two; starting anew costs one derivation for each that is still in use. */
const MAX_RECENT = 256;

const TOKEN = /^(h1\.([0-9a-z]{1,11})\.([A-Za-z0-9_-]+))\.([0-9a-z]{0,11})\.([A-Za-z0-9_-]{24})$/;
const MAC_CHARACTERS = 24;
const MAX_MESSAGE = 64 + 1 + 11;

function batchHmac(secret: KeyObject, shared: string, o: Pick<Request, "operation" | "repository">): BatchHmac {
  const key = createHmac("sha256", secret)
    .update(`holdall action token\0${shared}\0${o.operation}\0${o.repository}`)
    .digest();
  return new BatchHmac(key, MAX_MESSAGE);
}

function objectMac(hmac: BatchHmac, oid: Oid, size: string): string {
  return hmac.sign(`${oid}.${size}`).slice(0, MAC_CHARACTERS);
}

const left = Buffer.alloc(MAC_CHARACTERS);
const right = Buffer.alloc(MAC_CHARACTERS);

/** Both have the length of a MAC. */
function isEqual(a: string, b: string): boolean {
  left.write(a, "latin1");
  right.write(b, "latin1");
  return timingSafeEqual(left, right);
}

function base36(value: number, what: string): string {
  if (Number.isSafeInteger(value) && value >= 0) return value.toString(36);
  throw new IdentityError("invalid", `The ${what} of an action token is ${value}, which is not a whole number from 0.`);
}

function secretKey(secret: Uint8Array): KeyObject {
  if (secret.length >= MIN_ACTION_SECRET_BYTES) return createSecretKey(secret);
  throw new IdentityError(
    "invalid",
    `The secret for action tokens has ${secret.length} bytes. It needs at least ${MIN_ACTION_SECRET_BYTES} random bytes.`,
  );
}
