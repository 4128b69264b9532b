import { createHash } from "node:crypto";
import type { ActionTokens } from "@holdall/identity";
import type { Layout, Oid } from "@holdall/lfs-protocol";
import type { Objects } from "@holdall/metadata";
import {
  parseKey,
  StorageError,
  type ObjectKey,
  type ObjectStat,
  type ObjectStore,
  type SignedRequest,
} from "@holdall/object-store";
import { LfsError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import { objectKey } from "./object-key.ts";
import type { ObjectName } from "./transfers.ts";

/**
 * How bytes go: `proxy`, through the server; `direct`, between client and store wherever the store signs requests; `auto`,
 * directly where that costs nothing, which is all downloads, and the uploads to stores that check SHA-256 themselves.
 */
export type TransferMode = "proxy" | "direct" | "auto";

/** Where uploads wait that nobody has checked yet. */
const INCOMING = "holdall-incoming";
/** A repository may have that name, and its objects then begin so too; but no oid is as short as a mark. */
const WAITING = /^holdall-incoming\/[0-9a-f]{40}$/;
/** Uploads that nobody has had verified are removed after this many milliseconds, and never before their links expire. */
const ABANDONED_AFTER = 2 * 24 * 3_600_000;

/**
 * Transfers between clients and the store, without the server in between. The store lets whoever holds a signed request do
 * one thing with one object; the server finishes an upload when the client asks it to `verify`.
 *
 * A store that checks SHA-256 takes the bytes at their final place: no others can ever come there. Every upload carries a
 * mark of its own, so that nobody earns a link by bytes that another has sent. Other stores take them at a place of their own
 * for each upload; they are read again and hashed before they are copied to where objects are.
 */
export class DirectTransfers {
  readonly #gate: Gate;
  readonly #store: ObjectStore;
  readonly #layout: Layout;
  readonly #objects: Objects;
  readonly #tokens: ActionTokens;
  readonly #lifetime: number;
  readonly #rehashLimit: number;
  /** Clients ask again when reading an object takes long: all of them wait for the one look at it. */
  readonly #finishing = new Map<ObjectKey, Promise<void>>();

  /**
   * @param o.lifetime of signed requests, in seconds
   * @param o.rehashLimit up to this size, in bytes, an upload is read again where the store does not check SHA-256
   */
  constructor(o: {
    gate: Gate;
    store: ObjectStore;
    layout: Layout;
    objects: Objects;
    tokens: ActionTokens;
    lifetime: number;
    rehashLimit: number;
  }) {
    this.#gate = o.gate;
    this.#store = o.store;
    this.#layout = o.layout;
    this.#objects = o.objects;
    this.#tokens = o.tokens;
    this.#lifetime = o.lifetime;
    this.#rehashLimit = o.rehashLimit;
  }

  /** Whether downloads go directly. */
  downloads(mode: TransferMode): boolean {
    return mode !== "proxy" && this.#store.capabilities.presignGet;
  }

  /** Whether uploads go directly, as far as their sizes allow it. */
  uploads(mode: TransferMode): boolean {
    const { presignPut, presignSha256, copy } = this.#store.capabilities;
    return mode !== "proxy" && presignPut && (presignSha256 || (mode === "direct" && copy));
  }

  /** @param disposition for browsers, as a header has it */
  download({ repository, oid }: ObjectName, disposition: string | undefined): Promise<SignedRequest> {
    return this.#store.presign(objectKey(this.#layout, repository, oid), {
      method: "GET",
      expiresIn: this.#lifetime,
      ...(disposition === undefined ? {} : { disposition }),
    });
  }

  /**
   * @param token for `verify`, of this upload alone
   * @returns undefined when the object is too large for one request
   */
  async upload(
    { repository, oid }: ObjectName,
    { size, token }: { size: number; token: string },
  ): Promise<SignedRequest | undefined> {
    const mark = markOf(token);
    const shared = { method: "PUT", size, expiresIn: this.#lifetime } as const;
    try {
      return this.#store.capabilities.presignSha256
        ? await this.#store.presign(objectKey(this.#layout, repository, oid), { ...shared, sha256: oid, mark })
        : await this.#store.presign(incomingKey(mark), shared);
    } catch (error) {
      if (error instanceof StorageError && error.code === "invalid") return undefined;
      throw error;
    }
  }

  /**
   * What a client asks for after an upload: makes sure that the bytes have come by this very upload and are the object, and
   * links it. Asking again is no error.
   * @throws IdentityError for a bad or old token; LfsError `not-found` when nothing has come, `wrong-body` when it is
   *   something else; StorageError
   */
  async finish(
    token: string,
    name: ObjectName,
    { size, requestId }: { size: number; requestId: string },
  ): Promise<string> {
    const { repository, oid } = name;
    const grant = this.#tokens.verify(token, { repository, oid, operation: "verify", now: new Date() });
    if (grant.size !== size)
      throw new LfsError("wrong-body", `the upload was announced with ${grant.size} bytes, not ${size}`);
    const by = grant.principal;
    if (await this.#isLinked(name)) return by;
    const mark = markOf(token);
    if (this.#store.capabilities.presignSha256) await this.#checkMark(name, size, mark);
    else await this.#once(incomingKey(mark), () => this.#publish(name, size, incomingKey(mark)));
    const { id } = await this.#gate.making(repository, { by, requestId });
    await this.#objects.link(id, { oid, size });
    return by;
  }

  async #isLinked({ repository: name, oid }: ObjectName): Promise<boolean> {
    const repository = await this.#gate.known(name);
    if (repository === undefined) return false;
    const linked = (await this.#objects.linked(repository.id, [oid])).get(oid);
    return linked !== undefined && !linked.suspect;
  }

  /** The store has checked the digest; whose bytes these are is to be seen. */
  async #checkMark({ repository, oid }: ObjectName, size: number, mark: string): Promise<void> {
    const stat = await this.#store.stat(objectKey(this.#layout, repository, oid));
    if (stat === undefined) throw notArrived(oid);
    mustHaveSize(oid, stat, size);
    if (stat.mark === mark) return;
    // It came by another upload of the same object, before or meanwhile. Whose bytes those were proves nothing for this one.
    throw new LfsError("busy", `somebody else has sent ${oid} at the same time, or it was not sent: push again`);
  }

  /** Several at once wait for the first. */
  async #once(key: ObjectKey, work: () => Promise<void>): Promise<void> {
    const underway = this.#finishing.get(key);
    if (underway !== undefined) return await underway;
    const finishing = work().finally(() => this.#finishing.delete(key));
    this.#finishing.set(key, finishing);
    await finishing;
  }

  /** Takes an upload from where it waits to where objects are, once it is proven to be one. */
  async #publish({ repository, oid }: ObjectName, size: number, incoming: ObjectKey): Promise<void> {
    const stat = await this.#store.stat(incoming);
    if (stat === undefined) throw notArrived(oid);
    try {
      mustHaveSize(oid, stat, size);
      if (size <= this.#rehashLimit) await this.#rehash(oid, incoming, stat.etag);
    } catch (error) {
      if (error instanceof LfsError && error.code === "wrong-body") await this.#store.delete(incoming);
      throw error;
    }
    const target = objectKey(this.#layout, repository, oid);
    const present = await this.#store.stat(target);
    // A copy of another length is damaged: what has just been proven takes its place.
    const ifAbsent = this.#store.capabilities.putIfAbsent && (present === undefined || present.size === size);
    try {
      await this.#store.copy(incoming, target, { fromEtag: stat.etag, ifAbsent });
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "conflict")) throw error;
      // Either it is there already, or somebody writes to where this upload waits.
      if ((await this.#store.stat(target))?.size !== size) {
        throw new LfsError("busy", `the upload of ${oid} was changed while it was checked: push again`, {
          cause: error,
        });
      }
    }
    await this.#store.delete(incoming);
  }

  async #rehash(oid: Oid, incoming: ObjectKey, etag: string): Promise<void> {
    const object = await this.#store.get(incoming, { borrow: true });
    const hash = createHash("sha256");
    for await (const chunk of object.body) hash.update(chunk);
    if (object.etag !== etag)
      throw new LfsError("busy", `the upload of ${oid} was changed while it was checked: push again`);
    const actual = hash.digest("hex");
    if (actual !== oid) {
      throw new LfsError("wrong-body", `the upload has the SHA-256 ${actual}, not ${oid}: it was removed`);
    }
  }
}

/**
 * Removes what clients have sent directly and never had verified.
 * @param lifetime of signed requests, in seconds
 * @returns how many uploads
 */
export async function sweepIncoming(store: ObjectStore, lifetime: number): Promise<number> {
  const before = Date.now() - Math.max(ABANDONED_AFTER, 2000 * lifetime);
  let removed = 0;
  for await (const { key, modifiedAt } of store.list(`${INCOMING}/`)) {
    if (modifiedAt.getTime() > before || !WAITING.test(key)) continue;
    await store.delete(key);
    removed += 1;
  }
  return removed;
}

/** Nobody can tell the token from it, and nobody else can know it: the name of an upload. */
function markOf(token: string): string {
  return createHash("sha256").update(`holdall upload\0${token}`).digest("hex").slice(0, 40);
}

function incomingKey(mark: string): ObjectKey {
  return parseKey(`${INCOMING}/${mark}`);
}

function notArrived(oid: Oid): LfsError {
  return new LfsError("not-found", `the object ${oid} has not arrived in the store: push again`);
}

function mustHaveSize(oid: Oid, { size }: ObjectStat, announced: number): void {
  if (size === announced) return;
  throw new LfsError("wrong-body", `the upload of ${oid} has ${size} bytes where ${announced} were announced`);
}
