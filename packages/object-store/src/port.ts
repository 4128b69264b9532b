import type { ObjectKey } from "./key.ts";

/**
 * Keys and bytes. Every adapter and every layer is one of these, and `contract.ts` holds each to what is written here.
 * All methods throw {@link StorageError}; bodies that were handed out throw it while they are read. An error of the
 * caller's own making, of a body that is put or of a signal, comes back as it is.
 */
export interface ObjectStore {
  readonly capabilities: Capabilities;

  /** Undefined means absent, and only that: a store that cannot be asked, or refuses to say, throws. */
  stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined>;

  /**
   * Opens the object for reading. The body is read once, and must be read to its end or returned early (`for await`
   * does both); either gives its resources back. The bytes are those of one version, even if the key is replaced
   * meanwhile.
   * @throws StorageError `not-found` when absent; `invalid` when the range starts at or after the end
   */
  get(key: ObjectKey, o?: GetOptions): Promise<StoredObject>;

  /**
   * Stores the body under the key: all of it or nothing. The object is published only after the body has ended by
   * itself, in one step, and is durable when the promise resolves. A body that throws aborts the put, leaves nothing
   * behind, and its error is what `put` throws. Of two puts at once one whole body wins. Chunks are kept until they
   * are stored: the body must not use their memory again. Whatever happens, the body is read to its end or returned.
   *
   * When `ifAbsent` finds an object, the body is still read to its end, so that whatever checks the body has had its
   * say, and the object that is there is durable before `conflict` is thrown.
   * @throws StorageError `conflict` when `ifAbsent` or `ifMatch` decides against it; `invalid` when the body is shorter
   *   or longer than `size`; `corrupt` when its digest is not `sha256`; `full` when there is no room
   */
  put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion>;

  /**
   * Deleting what is absent succeeds.
   * @throws StorageError `conflict` when `ifMatch` is given and the object is another version or absent
   */
  delete(key: ObjectKey, o?: DeleteOptions): Promise<void>;

  /**
   * Every object whose key starts with `prefix`, in the byte order of keys, each once. Objects that come or go during
   * the listing may or may not appear.
   * @param prefix any text, not necessarily whole segments; the empty string lists everything
   */
  list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat>;

  /**
   * Copies an object within the store, without its bytes coming here. The copy is published as a put is: all or nothing.
   * @throws StorageError `not-found` when there is no object `from`; `conflict` when it is another version than
   *   `fromEtag`, or `ifAbsent` finds an object `to`
   */
  copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion>;

  /**
   * A request that whoever holds it may send to the store directly, without credentials of their own, until it expires.
   * Nothing is asked of the store, so an object that is absent, or a caller that may not read it, comes out only when it
   * is sent.
   */
  presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest>;

  /** Uploads in parts; undefined without that capability. */
  readonly multipart: MultipartUploads | undefined;

  /**
   * Removes what puts that can no longer end have left behind (temporary files, unfinished uploads), and only that; to
   * be called at start and from time to time, by any number of processes.
   * @returns the number of leftovers removed
   */
  sweep(): Promise<number>;

  /** Gives back what the store holds open. Idempotent. Nothing else may be called afterwards. */
  close(): Promise<void>;
}

/** What a store can do beyond the plain calls. A call that needs a missing capability throws `unsupported`. */
export interface Capabilities {
  /** `put` with `ifAbsent`: of any number at once exactly one succeeds. Without it, creators may overwrite each other. */
  readonly putIfAbsent: boolean;
  /** `put` with `ifMatch`. Without it, the store cannot hold anything that several writers change. */
  readonly compareAndSwap: boolean;
  /** `delete` with `ifMatch`. */
  readonly deleteIfMatch: boolean;
  /** `put` with `sha256`. Any store gets it from the `verify` layer. */
  readonly checkSha256: boolean;
  /** `copy`. */
  readonly copy: boolean;
  /** `presign` of a GET. */
  readonly presignGet: boolean;
  /** `presign` of a PUT. */
  readonly presignPut: boolean;
  /** A presigned PUT with `sha256` takes only those bytes. Without it, whatever comes has to be read again and checked. */
  readonly presignSha256: boolean;
  /** `multipart` is there. */
  readonly multipart: boolean;
  /** `multipart.presignPart`: parts may go to the store directly. */
  readonly presignPart: boolean;
}

export interface CallOptions {
  /** Aborting ends the call, and the body that it reads or has handed out, with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange;
  /**
   * The chunks of the body are only lent: the caller is done with each when it asks for the next or returns, and the
   * store may use its memory again. Otherwise they are the caller's to keep.
   */
  readonly borrow?: boolean;
  /**
   * What is under the key never changes, because the key is made from the bytes. The store may then answer from what it
   * knows, and for some seconds give out an object that was removed.
   */
  readonly immutable?: boolean;
}

/** Bytes `start` to `end`, both inclusive, from 0. Without `end`, or with one past the last byte: to the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface PutOptions extends CallOptions {
  /** The exact length of the body in bytes. */
  readonly size: number;
  /** The SHA-256 that the body must have, as 64 lower-case hexadecimal digits; anything else is never published. */
  readonly sha256?: string;
  /** Create only: never replace what is there. Excludes `ifMatch`. */
  readonly ifAbsent?: boolean;
  /** Replace only this version; `etag` as {@link ObjectStat} gave it. */
  readonly ifMatch?: string;
  readonly contentType?: string;
  /**
   * What whoever gets the object from the store itself is answered as `Content-Disposition` (RFC 6266). Advice, as the type and
   * the metadata are: a store without a place for it overlooks it. At present only S3 keeps this and metadata.
   * @throws StorageError `invalid` when it is more than printable ASCII
   */
  readonly contentDisposition?: string;
  /** What the object is to carry for programs that read the store themselves: lower-case names, printable ASCII. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * The chunks are given away: the store may free the memory of those that have an ArrayBuffer of their own as soon as
   * they are stored. It is then gone at once, where the garbage collector would let many pile up.
   */
  readonly handOver?: boolean;
}

export interface CopyOptions extends CallOptions {
  /** Only this version of the source; `etag` as {@link ObjectStat} gave it. */
  readonly fromEtag?: string;
  /** Create only: never replace what is there. */
  readonly ifAbsent?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly ifMatch?: string;
}

export interface ListOptions extends CallOptions {
  /** Only keys after this one, in byte order. */
  readonly after?: string;
}

/** One version of an object. */
export interface ObjectVersion {
  readonly key: ObjectKey;
  /** Bytes. */
  readonly size: number;
  /** Opaque. Changes whenever the bytes under the key are replaced by others. */
  readonly etag: string;
}

export interface ObjectStat extends ObjectVersion {
  readonly modifiedAt: Date;
  /** From `stat` only: that of the presigned PUT by which the object came, if it did. */
  readonly mark?: string;
}

export interface StoredObject extends ObjectStat {
  /** The bytes that the body will deliver; without a range the whole object. `size` stays the object's. */
  readonly range: { readonly start: number; readonly length: number };
  readonly body: AsyncIterable<Uint8Array>;
}

export type PresignOptions = PresignGet | PresignPut;

interface PresignedFor extends CallOptions {
  /** How long the request may be begun, in seconds: 1 to 7 days. */
  readonly expiresIn: number;
}

export interface PresignGet extends PresignedFor {
  readonly method: "GET";
  /** What the store is to answer as `Content-Disposition` (RFC 6266). */
  readonly disposition?: string;
}

export interface PresignPut extends PresignedFor {
  readonly method: "PUT";
  /** The exact length of the body in bytes; `invalid` when one PUT cannot carry it. */
  readonly size: number;
  /** As in {@link PutOptions}: the store then takes no other bytes. Needs the capability `presignSha256`. */
  readonly sha256?: string;
  /**
   * With `sha256`: letters and digits that the object then carries, and `stat` shows, so that one can tell by whose request
   * it came.
   */
  readonly mark?: string;
}

export interface SignedRequest {
  readonly method: "GET" | "PUT";
  /** Absolute. A secret: it carries the signature. */
  readonly url: string;
  /** To be sent exactly as they are, or the store refuses the request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: Date;
}

/**
 * An object in parts, which may come at once, in any order, again, and by way of several processes. Nothing is visible
 * before `complete`, and all of it then. Whoever creates an upload completes or aborts it; one to which nothing has been
 * added for a day is swept (where the store does not tell when parts came: one that is a day old). All methods throw
 * `not-found` for an upload that is not, or no longer, there, where the store can tell.
 */
export interface MultipartUploads {
  readonly limits: MultipartLimits;

  /** @returns the name of the upload, which means something only together with the key */
  create(key: ObjectKey, o?: CallOptions & { readonly contentType?: string }): Promise<string>;

  /**
   * Stores one part, in the place of one that was there under the number before. Durable when the promise resolves. The
   * body is treated as in `put`.
   * @param number from 1
   * @throws StorageError `invalid` when the body is shorter or longer than `size`
   */
  putPart(
    key: ObjectKey,
    upload: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    o: CallOptions & { readonly size: number },
  ): Promise<UploadedPart>;

  /** A request that puts one part directly. Needs the capability `presignPart`. The body may be sent with Content-MD5. */
  presignPart(
    key: ObjectKey,
    upload: string,
    number: number,
    o: CallOptions & { readonly size: number; readonly expiresIn: number },
  ): Promise<SignedRequest>;

  /** The parts that are there, by number. */
  parts(key: ObjectKey, upload: string, o?: CallOptions): AsyncIterable<UploadedPart>;

  /**
   * Publishes the object: the parts in the order given, which is that of their numbers, each as `putPart` or `parts`
   * named it. Completing again what was completed may throw `not-found`; if it succeeds, the object is the one of these parts.
   * @throws StorageError `invalid` when a part is missing, has changed, or is too small; `conflict` as in `put`
   */
  complete(
    key: ObjectKey,
    upload: string,
    parts: readonly UploadedPart[],
    o?: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<ObjectVersion>;

  /** Gives the upload up, and its parts. Aborting what is absent succeeds. */
  abort(key: ObjectKey, upload: string, o?: CallOptions): Promise<void>;
}

export interface MultipartLimits {
  /** The smallest part that is not the last, in bytes. */
  readonly minPartSize: number;
  /** Bytes. */
  readonly maxPartSize: number;
  readonly maxParts: number;
}

export interface UploadedPart {
  readonly number: number;
  /** Bytes. */
  readonly size: number;
  /** Opaque. */
  readonly etag: string;
}
