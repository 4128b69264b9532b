import type { ActionTokens, Principal } from "@holdall/identity";
import type { Layout, Oid, RepositoryName } from "@holdall/lfs-protocol";
import { StorageError, type ByteRange, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import type { Objects } from "@holdall/metadata";
import { howToRestore, LfsError } from "./errors.ts";
import type { OnLfsEvent } from "./events.ts";
import type { Gate } from "./gate.ts";
import { noPlaceFor, objectKey } from "./object-key.ts";
import type { Suspects } from "./suspects.ts";

/** The right to send or fetch the bytes of one object in one repository; made only by {@link Transfers}. */
export interface ByteGrant {
  readonly operation: "upload" | "download";
  readonly repository: RepositoryName;
  readonly oid: Oid;
  /** Bytes. Always known for a download; for an upload when the batch was told. */
  readonly size?: number;
  /** The principal's name. */
  readonly by: string;
}

export type DownloadGrant = ByteGrant & { readonly size: number };

/** Which object a request names, before anything is known about rights. */
export interface ObjectName {
  readonly repository: RepositoryName;
  readonly oid: Oid;
}

/** The bytes of an object never change, and each piece is sent before the next is read. */
const LENT = { borrow: true, immutable: true } as const;

/** Moves the bytes of objects between clients and the store. */
export class Transfers {
  readonly #gate: Gate;
  readonly #store: ObjectStore;
  readonly #layout: Layout;
  readonly #objects: Objects;
  readonly #suspects: Suspects;
  readonly #tokens: ActionTokens;
  readonly #onEvent: OnLfsEvent;
  /** Objects whose stored copy is to be replaced by the next upload. */
  readonly #damagedKeys = new Set<ObjectKey>();

  /** @param o.store checks SHA-256 */
  constructor(o: {
    gate: Gate;
    store: ObjectStore;
    layout: Layout;
    objects: Objects;
    suspects: Suspects;
    tokens: ActionTokens;
    onEvent: OnLfsEvent;
  }) {
    this.#gate = o.gate;
    this.#store = o.store;
    this.#layout = o.layout;
    this.#objects = o.objects;
    this.#suspects = o.suspects;
    this.#tokens = o.tokens;
    this.#onEvent = o.onEvent;
  }

  /** What an action token allows: the decision was made by the batch. @throws IdentityError for a bad or old token */
  uploadByToken(token: string, { repository, oid }: ObjectName): ByteGrant {
    const { size, principal } = this.#tokens.verify(token, { repository, oid, operation: "upload", now: new Date() });
    return { operation: "upload", repository, oid, by: principal, ...(size === undefined ? {} : { size }) };
  }

  /** As {@link uploadByToken}, for whoever comes with credentials of their own. */
  async uploadBy(principal: Principal, { repository, oid }: ObjectName): Promise<ByteGrant> {
    await this.#gate.toWrite(principal, repository);
    return { operation: "upload", repository, oid, by: principal.name };
  }

  /** What an action token allows, without a look at the database. @throws IdentityError for a bad or old token */
  downloadByToken(token: string, { repository, oid }: ObjectName): DownloadGrant {
    const { size, principal } = this.#tokens.verify(token, { repository, oid, operation: "download", now: new Date() });
    if (size === undefined) throw new LfsError("invalid", "the download action names no size: ask for a new batch");
    return { operation: "download", repository, oid, size, by: principal };
  }

  /** As {@link downloadByToken}, for whoever comes with credentials of their own. */
  async downloadBy(principal: Principal, { repository, oid }: ObjectName): Promise<DownloadGrant> {
    const { id } = await this.#gate.toRead(principal, repository);
    const linked = (await this.#objects.linked(id, [oid])).get(oid);
    if (linked === undefined) throw notHere(repository, oid);
    return { operation: "download", repository, oid, size: linked.size, by: principal.name };
  }

  /** Whether anyone at all may read the repository, so that shared caches may keep its objects. */
  isPublic(repository: RepositoryName): boolean {
    return this.#gate.isPublic(repository);
  }

  /**
   * Opens the object. The body must be read to its end or returned early, and its chunks are only lent: each is to be
   * done with before the next is asked for.
   * @throws LfsError `lost` or `damaged` when the store does not have what the database says; StorageError when it fails
   */
  async download(
    grant: DownloadGrant,
    o: { requestId: string; range?: ByteRange },
  ): Promise<AsyncIterable<Uint8Array>> {
    const object = await this.#store
      .get(this.#key(grant), o.range === undefined ? LENT : { ...LENT, range: o.range })
      .catch(async (error: unknown) => {
        // With a range, a store that holds fewer bytes than known says that the range is not in the object.
        const absent = error instanceof StorageError && (error.code === "not-found" || error.code === "invalid");
        if (absent) await this.inspect(grant, o);
        throw error;
      });
    if (object.size !== grant.size) {
      await object.body[Symbol.asyncIterator]().return?.();
      throw await this.#missing(grant, object.size, o.requestId);
    }
    return object.body;
  }

  /** Whether the bytes are there, for a look without a transfer. @throws as {@link download} */
  async inspect(grant: DownloadGrant, { requestId }: { requestId: string }): Promise<void> {
    const stat = await this.#store.stat(this.#key(grant));
    if (stat?.size !== grant.size) throw await this.#missing(grant, stat?.size, requestId);
  }

  /**
   * Takes in an object: hashed in full, stored once, and linked into the repository when it is durable. Bytes that the
   * store has already must be sent all the same, for sending them is what earns the link.
   * @param o.length of the body as the door knows it; undefined when it does not
   * @throws LfsError `wrong-body` when the bytes are not the object, `length-required` when nobody knows the size,
   *   `not-found` when the repository is gone; StorageError when the store fails; the body's own error
   */
  async upload(
    grant: ByteGrant,
    body: AsyncIterable<Uint8Array>,
    { length, requestId }: { length: number | undefined; requestId: string },
  ): Promise<void> {
    const { repository: name, oid, by } = grant;
    const size = grant.size ?? length;
    if (size === undefined)
      throw new LfsError("length-required", "send a Content-Length: the batch was not told the size");
    if (length !== undefined && length !== size) {
      throw new LfsError("wrong-body", `the body has ${length} bytes where ${size} were announced: nothing was stored`);
    }
    const noPlace = noPlaceFor(this.#layout, name);
    if (noPlace !== undefined) throw new LfsError("invalid", noPlace);
    await this.#keep(grant, body, { size, counted: length !== undefined, requestId });
    const repository = await this.#gate.making(name, { by, requestId });
    await this.#objects.link(repository.id, { oid, size });
  }

  /**
   * Whether the object has arrived in the repository.
   * @throws LfsError `not-found` when not, `wrong-body` when it has another size
   */
  async verify(principal: Principal, { repository, oid }: ObjectName, size: number): Promise<void> {
    const grant = await this.downloadBy(principal, { repository, oid });
    if (grant.size !== size) {
      throw new LfsError("wrong-body", `the object ${oid} has ${grant.size} bytes, not ${size}`);
    }
  }

  async #keep(
    grant: ByteGrant,
    body: AsyncIterable<Uint8Array>,
    { size, counted, requestId }: { size: number; counted: boolean; requestId: string },
  ): Promise<void> {
    const { repository, oid, by } = grant;
    const key = this.#key(grant);
    const replace = this.#damagedKeys.has(key);
    try {
      // Where the store has no conditions, it writes the same bytes once more.
      const ifAbsent = !replace && this.#store.capabilities.putIfAbsent;
      await this.#store.put(key, body, { size, sha256: oid, ifAbsent, handOver: true });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // Someone has stored it, now or long ago; the body was read and is right, or the put had failed otherwise.
      if (error.code === "conflict") return await this.#checkStored(grant, key, { size, requestId });
      if (error.code === "corrupt") {
        throw new LfsError("wrong-body", `${error.message}: nothing was stored`, { cause: error });
      }
      // A body that the door has counted has the right length, and what is invalid then is no doing of the client's.
      if (error.code !== "invalid" || counted) throw error;
      throw new LfsError("wrong-body", `the body has not the ${size} bytes that were announced: nothing was stored`, {
        cause: error,
      });
    }
    if (replace) {
      this.#damagedKeys.delete(key);
      this.#onEvent({ requestId, type: "object-healed", repository, oid, by });
    }
  }

  /**
   * An object's name is the hash of its bytes, so a stored copy of another length is proven damaged. The bytes that have
   * just come are gone; the client is asked for them again, and then they replace the copy.
   */
  async #checkStored(
    { repository, oid }: ObjectName,
    key: ObjectKey,
    { size, requestId }: { size: number; requestId: string },
  ): Promise<void> {
    const stored = await this.#store.stat(key);
    if (stored?.size === size) return;
    if (stored !== undefined) this.#damagedKeys.add(key);
    this.#onEvent({ requestId, type: "object-damaged", repository, oid, reason: held(stored?.size, size) });
    throw new LfsError("unavailable", `the server's copy of ${oid} was damaged: send the object again to replace it`);
  }

  #key({ repository, oid }: ObjectName): ObjectKey {
    return objectKey(this.#layout, repository, oid);
  }

  /** Sees to it that the next batch asks for the bytes again, and that they then replace what is there. */
  async #missing(grant: DownloadGrant, stored: number | undefined, requestId: string): Promise<LfsError> {
    const { repository, oid, size } = grant;
    if (stored !== undefined) this.#damagedKeys.add(this.#key(grant));
    this.#onEvent({ requestId, type: "object-damaged", repository, oid, reason: held(stored, size) });
    await this.#suspects.report(repository, oid);
    const code = stored === undefined ? "lost" : "damaged";
    return new LfsError(code, `the object ${oid} is ${code} on the server: ${howToRestore(oid)}`);
  }
}

function held(stored: number | undefined, size: number): string {
  return `the store holds ${stored ?? "none"} of ${size} bytes`;
}

function notHere(repository: RepositoryName, oid: Oid): LfsError {
  return new LfsError("not-found", `the object ${oid} does not exist in ${repository}, or you may not see it`);
}
