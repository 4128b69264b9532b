import { createHash, randomBytes, type Hash } from "node:crypto";
import type { ActionTokens } from "@holdall/identity";
import { EMPTY_OID } from "@holdall/lfs-protocol";
import type { Uploads } from "@holdall/metadata";
import {
  partSizeFor,
  StorageError,
  type MultipartUploads,
  type ObjectStore,
  type ObjectVersion,
  type SignedRequest,
} from "@holdall/object-store";
import { LfsError } from "./errors.ts";
import { incomingKey } from "./incoming.ts";
import type { Pace } from "./pace.ts";
import { mustHaveSize, notArrived, type Doing, type Publisher } from "./publisher.ts";
import { partsIn, sessionOf, sizeOfPart, type Session } from "./session.ts";
import type { ObjectName } from "./transfers.ts";

/** What is still to be sent of an object. */
export interface PartsOffer {
  readonly parts: readonly PartOffer[];
  /** Whether the parts still have to be joined. */
  readonly commit: boolean;
}

interface PartOffer {
  /** From 1. */
  readonly number: number;
  /** Of its first byte in the object. */
  readonly position: number;
  /** Bytes. */
  readonly size: number;
  /** Between the client and the store; otherwise the part goes through the server. */
  readonly request?: SignedRequest;
}

/** What is to be uploaded in parts. */
export interface InParts extends ObjectName {
  readonly size: number;
}

/**
 * Uploads in parts, which may come in any order, over many requests, to many processes, and after interruptions. What an
 * upload is, the database knows; which of its parts are there, the store. They wait where nobody looks for objects, are
 * joined when all are there, and then published as every upload is that comes by another way than as one body.
 */
export class PartUploads {
  readonly #store: ObjectStore;
  readonly #uploads: Uploads;
  readonly #publisher: Publisher;
  readonly #tokens: ActionTokens;
  readonly #lifetime: number;
  readonly #wishedPartSize: (name: ObjectName) => number;
  readonly #pace: Pace;

  /**
   * @param o.lifetime of signed requests, in seconds
   * @param o.partSize of the parts of a repository's objects, in bytes, where the store's limits allow it
   */
  constructor(o: {
    store: ObjectStore;
    uploads: Uploads;
    publisher: Publisher;
    tokens: ActionTokens;
    lifetime: number;
    partSize: (name: ObjectName) => number;
    pace: Pace;
  }) {
    this.#store = o.store;
    this.#uploads = o.uploads;
    this.#publisher = o.publisher;
    this.#tokens = o.tokens;
    this.#lifetime = o.lifetime;
    this.#wishedPartSize = o.partSize;
    this.#pace = o.pace;
  }

  /** Whether the store can have uploads in parts. */
  get possible(): boolean {
    return this.#store.multipart !== undefined && this.#store.capabilities.copy;
  }

  /**
   * What a client has to send of an object; an upload that was interrupted goes on.
   * @param o.direct whether the parts go to the store directly, if it signs requests for parts
   * @throws LfsError `invalid` when the store takes no object of that size
   */
  async offer(object: InParts, { direct }: { direct: boolean }): Promise<PartsOffer> {
    // There is nothing to send.
    if (object.size === 0) return { parts: [], commit: false };
    const { upload, parts, joined } = await this.begin(object);
    const offers: PartOffer[] = [];
    const last = joined ? 0 : partsIn(upload);
    for (let number = 1; number <= last; number++) {
      if (parts.has(number)) continue;
      const size = sizeOfPart(upload, number);
      const offer = { number, position: (number - 1) * upload.partSize, size };
      if (!direct || !this.#store.capabilities.presignPart) {
        offers.push(offer);
        continue;
      }
      const expiresIn = this.#lifetime;
      const key = incomingKey(upload.place);
      await this.#pace.turn();
      const request = await this.#multipart.presignPart(key, upload.name, number, { size, expiresIn });
      offers.push({ ...offer, request });
    }
    return { parts: offers, commit: !joined };
  }

  /** What the token lets its bearer upload. @throws IdentityError for a bad or old token; LfsError */
  granted(token: string, { repository, oid }: ObjectName): { readonly object: InParts; readonly by: string } {
    const grant = this.#tokens.verify(token, { repository, oid, operation: "upload", now: new Date() });
    if (grant.size === undefined) throw new LfsError("invalid", "the batch was not told the size of the object");
    return { object: { repository, oid, size: grant.size }, by: grant.principal };
  }

  /**
   * Takes a part.
   * @param o.length of the body
   * @param o.md5 that it must have, in Base64 (RFC 1864)
   * @throws LfsError `wrong-body` when it has another size or digest; `not-found` when no such part was asked for
   */
  async putPart(
    object: InParts,
    number: number,
    body: AsyncIterable<Uint8Array>,
    { length, md5 }: { length: number | undefined; md5: string | undefined },
  ): Promise<void> {
    const session = await this.find(object);
    if (session === undefined || session.joined) throw notUnderWay(object);
    const { upload } = session;
    if (number < 1 || number > partsIn(upload)) throw new LfsError("not-found", `the object has no part ${number}`);
    const size = sizeOfPart(upload, number);
    if (length !== size) {
      throw new LfsError("wrong-body", `part ${number} has ${length ?? "an unknown number of"} bytes, not ${size}`);
    }
    const checked = md5 === undefined ? body : withMd5(body, md5, number);
    await this.#multipart.putPart(incomingKey(upload.place), upload.name, number, checked, { size });
  }

  /** Joins the parts. Doing so again is no error. @throws LfsError `incomplete` when some are missing */
  async commit(object: InParts): Promise<void> {
    const session = await this.find(object);
    if (session !== undefined) await this.#join(session);
    else if (object.size > 0 && !(await this.#publisher.isLinked(object))) throw notUnderWay(object);
  }

  /**
   * Publishes the object. Doing so again is no error.
   * @throws LfsError `incomplete` when some parts are missing, `wrong-body` when it is something else; StorageError
   */
  async finish(object: InParts, doing: Doing): Promise<void> {
    if (await this.#publisher.isLinked(object)) return;
    if (object.size === 0) {
      if (object.oid === EMPTY_OID) return await this.#publisher.linkEmpty(object, doing);
      throw new LfsError("wrong-body", `${object.oid} is not the oid of an empty object`);
    }
    const session = await this.find(object);
    if (session !== undefined) return await this.publish(session, doing);
    // Perhaps because another process has ended it just now.
    if (!(await this.#publisher.isLinked(object))) throw notArrived(object.oid);
  }

  /** Joins and publishes. @param o.sha256 what the parts that the session names are known to have together */
  async publish(session: Session, doing: Doing, { sha256 }: { sha256?: string | undefined } = {}): Promise<void> {
    const { upload } = session;
    try {
      const version = await this.#join(session);
      // What others have joined may be other parts than those whose digest is known.
      const known = sha256 === undefined || version === undefined ? undefined : { sha256, etag: version.etag };
      await this.#publisher.publish(upload, { size: upload.size, place: upload.place, known, doing });
    } catch (error) {
      if (!(error instanceof LfsError)) throw error;
      if (error.code === "wrong-body") await this.#uploads.remove(upload.place);
      // Somebody else has finished it in between.
      if (error.code !== "not-found" || !(await this.#publisher.isLinked(upload))) throw error;
    }
    await this.#uploads.remove(upload.place);
  }

  /** Whether there is nothing to be gained from parts. */
  isOnePart(object: InParts): boolean {
    return object.size <= this.#named(object).partSize;
  }

  /** How many parts the object has; none when the store does not take it. */
  count(object: InParts): number {
    try {
      return Math.ceil(object.size / this.#named(object).partSize);
    } catch (error) {
      if (error instanceof LfsError && error.code === "invalid") return 0;
      throw error;
    }
  }

  /** Gives the upload up, and what has come of it. Giving up what is not there is no error. */
  async abort(object: InParts): Promise<void> {
    const upload = await this.#uploads.find(this.#named(object));
    if (upload === undefined) return;
    const key = incomingKey(upload.place);
    await this.#multipart.abort(key, upload.name);
    await this.#store.delete(key);
    await this.#uploads.remove(upload.place);
  }

  /** The upload of the object; undefined when there is none, or no more. */
  async find(object: InParts): Promise<Session | undefined> {
    const upload = await this.#uploads.find(this.#named(object));
    return upload && (await sessionOf(upload, this.#store, this.#uploads));
  }

  /** The upload of the object, begun if need be. */
  async begin(object: InParts): Promise<Session> {
    const underway = await this.find(object);
    if (underway !== undefined) return underway;
    const place = randomBytes(20).toString("hex");
    const key = incomingKey(place);
    const name = await this.#multipart.create(key);
    const upload = await this.#uploads.keep({ ...this.#named(object), place, name });
    if (upload.place === place) return { upload, parts: new Map(), joined: false };
    // Somebody else has begun at the same time.
    await this.#multipart.abort(key, name);
    const session = await sessionOf(upload, this.#store, this.#uploads);
    if (session === undefined) throw new LfsError("busy", `the upload of ${object.oid} has just ended: push again`);
    return session;
  }

  /** @returns what these parts have become; undefined when it was somebody else who has joined them, or others */
  async #join({ upload, parts, joined }: Session): Promise<ObjectVersion | undefined> {
    if (joined) return undefined;
    const missing = partsIn(upload) - parts.size;
    if (missing > 0) {
      throw new LfsError("incomplete", `${missing} of the ${partsIn(upload)} parts of ${upload.oid} have not come yet`);
    }
    const inOrder = [...parts.values()].toSorted((a, b) => a.number - b.number);
    const key = incomingKey(upload.place);
    try {
      return await this.#multipart.complete(key, upload.name, inOrder);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "invalid") {
        throw new LfsError("incomplete", `a part of ${upload.oid} was sent again meanwhile: push again`, {
          cause: error,
        });
      }
      if (error.code !== "not-found") throw error;
      // Somebody else has done so.
      const stat = await this.#store.stat(key);
      if (stat !== undefined) mustHaveSize(upload.oid, stat, upload.size);
      else if (!(await this.#publisher.isLinked(upload))) throw notUnderWay(upload);
      return undefined;
    }
  }

  #named(object: InParts): InParts & { readonly partSize: number } {
    const { maxParts, minPartSize, maxPartSize } = this.#multipart.limits;
    const { repository, oid, size } = object;
    const least = Math.max(this.#wishedPartSize(object), minPartSize);
    const partSize = partSizeFor(size, { most: maxParts, least });
    if (partSize <= maxPartSize) return { repository, oid, size, partSize };
    throw new LfsError("invalid", `the store takes no object of ${size} bytes`);
  }

  get #multipart(): MultipartUploads {
    if (this.#store.multipart !== undefined) return this.#store.multipart;
    throw new LfsError("not-found", "this server takes no uploads in parts: ask for a new batch");
  }
}

function notUnderWay({ oid }: Pick<ObjectName, "oid">): LfsError {
  return new LfsError("not-found", `no upload in parts of ${oid} is under way: ask for a new batch`);
}

/** @throws LfsError (at the end) `wrong-body` when the bytes have another MD5 */
async function* withMd5(body: AsyncIterable<Uint8Array>, md5: string, number: number): AsyncGenerator<Uint8Array> {
  const hash: Hash = createHash("md5");
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("base64") === md5) return;
  throw new LfsError("wrong-body", `part ${number} does not have the Content-MD5 that was sent with it`);
}
