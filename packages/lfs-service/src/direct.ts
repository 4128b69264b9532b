import { createHash } from "node:crypto";
import type { ActionTokens } from "@holdall/identity";
import type { Layout } from "@holdall/lfs-protocol";
import { StorageError, type ObjectStore, type SignedRequest } from "@holdall/object-store";
import { LfsError } from "./errors.ts";
import { incomingKey } from "./incoming.ts";
import { objectKey } from "./object-key.ts";
import type { Pace } from "./pace.ts";
import { mustHaveSize, notArrived, type Doing, type Publisher } from "./publisher.ts";
import type { ObjectName } from "./transfers.ts";

/**
 * How bytes go: `proxy`, through the server; `direct`, between client and store wherever the store signs requests; `auto`,
 * directly where that costs nothing, which is all downloads, and the uploads to stores that check SHA-256 themselves.
 */
export type TransferMode = "proxy" | "direct" | "auto";

/**
 * Transfers between clients and the store, without the server in between. The store lets whoever holds a signed request do
 * one thing with one object; the server finishes an upload when the client asks it to `verify`.
 *
 * A store that checks SHA-256 takes the bytes at their final place: no others can ever come there. Every upload carries a
 * mark of its own, so that nobody earns a link by bytes that another has sent. Other stores take them at a place of their own
 * for each upload; they are read again and hashed before they are copied to where objects are.
 */
export class DirectTransfers {
  readonly #store: ObjectStore;
  readonly #layout: Layout;
  readonly #publisher: Publisher;
  readonly #tokens: ActionTokens;
  readonly #lifetime: number;
  readonly #pace: Pace;

  /** @param o.lifetime of signed requests, in seconds */
  constructor(o: {
    store: ObjectStore;
    layout: Layout;
    publisher: Publisher;
    tokens: ActionTokens;
    lifetime: number;
    pace: Pace;
  }) {
    this.#store = o.store;
    this.#layout = o.layout;
    this.#publisher = o.publisher;
    this.#tokens = o.tokens;
    this.#lifetime = o.lifetime;
    this.#pace = o.pace;
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
  async download({ repository, oid }: ObjectName, disposition: string | undefined): Promise<SignedRequest> {
    await this.#pace.turn();
    return await this.#store.presign(objectKey(this.#layout, repository, oid), {
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
    await this.#pace.turn();
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
    if (await this.#publisher.isLinked(name)) return by;
    const place = markOf(token);
    const doing: Doing = { by, requestId };
    if (this.#store.capabilities.presignSha256) {
      await this.#checkMark(name, size, place);
      await this.#publisher.link(name, size, doing);
    } else {
      await this.#publisher.publish(name, { size, place, doing });
    }
    return by;
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
}

/** Nobody can tell the token from it, and nobody else can know it: the name of an upload. */
function markOf(token: string): string {
  return createHash("sha256").update(`holdall upload\0${token}`).digest("hex").slice(0, 40);
}
