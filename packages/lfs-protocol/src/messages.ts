import { Type, type Static, type TOptional, type TSchema, type TUnion, type TNull } from "typebox";

// The messages of the LFS API, in the words of the specification (git-lfs: docs/api/batch.md, docs/api/locking.md). The
// schemas are the only source: types, validation and the API's description are made from them. Requests are as tolerant
// as servers in the field are: clients in use leave out `size`, send `ref: {}` or null, and add fields of their own.

/** Missing and null mean the same, as they do to the Go client. */
function Maybe<T extends TSchema>(schema: T): TOptional<TUnion<[T, TNull]>> {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

export const Operation = Type.Union([Type.Literal("download"), Type.Literal("upload")]);
export type Operation = Static<typeof Operation>;

export const Ref = Type.Object({ name: Maybe(Type.String()) });
export type Ref = Static<typeof Ref>;

export const BatchRequest = Type.Object({
  operation: Operation,
  /** Absent or empty means `basic` alone. The order carries no meaning: clients shuffle it. */
  transfers: Maybe(Type.Array(Type.String())),
  ref: Maybe(Ref),
  /** Absent means `sha256`. */
  hash_algo: Maybe(Type.String()),
  /** An oid or a size that cannot be is answered for that object alone, so it passes here. */
  objects: Type.Array(
    Type.Object({
      oid: Type.String(),
      size: Maybe(Type.Number()),
      /** What a browser is to call the download, as Giftless' clients ask for it; what is no text does not count. */
      "x-filename": Type.Optional(Type.Unknown()),
      "x-disposition": Type.Optional(Type.Unknown()),
    }),
  ),
});
export type BatchRequest = Static<typeof BatchRequest>;

export const Action = Type.Object({
  /** Absolute. */
  href: Type.String(),
  header: Type.Optional(Type.Record(Type.String(), Type.String())),
  /** Whole seconds from the batch on. At 5 or less the client gives up. */
  expires_in: Type.Integer(),
});
export type Action = Static<typeof Action>;

/** `multipart-basic` (Giftless: docs/source/multipart-spec.md): how a request is to be sent, where it is no plain POST. */
export const MultipartAction = Type.Object({ ...Action.properties, method: Type.Optional(Type.String()) });
export type MultipartAction = Static<typeof MultipartAction>;

/** One part of an object, to be sent by PUT. */
export const PartAction = Type.Object({
  ...Action.properties,
  /** Of its first byte in the object. */
  pos: Type.Integer({ minimum: 0 }),
  /** Bytes. */
  size: Type.Integer({ minimum: 1 }),
  /** `contentMD5`: to be sent with that header. */
  want_digest: Type.String(),
});
export type PartAction = Static<typeof PartAction>;

export const ObjectError = Type.Object({ code: Type.Integer(), message: Type.String() });

export const BatchObject = Type.Object({
  oid: Type.String(),
  /**
   * As the request gave it: a client takes another size for damage on its own side. What is no size comes back as 0, since
   * clients give up the whole answer at it.
   */
  size: Type.Integer({ minimum: 0 }),
  /** The action needs no credentials beyond what it carries; clients then add none. */
  authenticated: Type.Optional(Type.Boolean()),
  actions: Type.Optional(
    Type.Object({
      download: Type.Optional(Action),
      upload: Type.Optional(Action),
      verify: Type.Optional(Action),
      /** With `multipart-basic` alone: no other client can read an array here. Absent when no part is missing. */
      parts: Type.Optional(Type.Array(PartAction)),
      commit: Type.Optional(MultipartAction),
      abort: Type.Optional(MultipartAction),
    }),
  ),
  error: Type.Optional(ObjectError),
});
export type BatchObject = Static<typeof BatchObject>;

export const BatchResponse = Type.Object({
  /** Always sent: clients up to 3.7.1 restart their transfer adapter for each batch without it. */
  transfer: Type.String(),
  objects: Type.Array(BatchObject),
  hash_algo: Type.String(),
});
export type BatchResponse = Static<typeof BatchResponse>;

export const VerifyRequest = Type.Object({ oid: Type.String(), size: Type.Number() });
export type VerifyRequest = Static<typeof VerifyRequest>;

/** Of our own: with a token, what follows an upload that did not pass through the server. */
export const VerifyQuery = Type.Object({ token: Type.Optional(Type.String()) });

export const Lock = Type.Object({
  /** A string even where it is a number, and safe in a URL path: clients do not escape it. */
  id: Type.String(),
  path: Type.String(),
  /** RFC 3339. */
  locked_at: Type.String(),
  owner: Type.Object({ name: Type.String() }),
});
export type Lock = Static<typeof Lock>;

export const CreateLockRequest = Type.Object({ path: Type.String(), ref: Maybe(Ref) });
export type CreateLockRequest = Static<typeof CreateLockRequest>;

export const LockResponse = Type.Object({ lock: Lock });
export type LockResponse = Static<typeof LockResponse>;

/** A query string, so everything is text; empty means absent. */
export const ListLocksQuery = Type.Object({
  path: Type.Optional(Type.String()),
  id: Type.Optional(Type.String()),
  cursor: Type.Optional(Type.String()),
  limit: Type.Optional(Type.String()),
  refspec: Type.Optional(Type.String()),
});
export type ListLocksQuery = Static<typeof ListLocksQuery>;

export const ListLocksResponse = Type.Object({
  locks: Type.Array(Lock),
  next_cursor: Type.Optional(Type.String()),
});
export type ListLocksResponse = Static<typeof ListLocksResponse>;

export const VerifyLocksRequest = Type.Object({
  ref: Maybe(Ref),
  cursor: Maybe(Type.String()),
  limit: Maybe(Type.Integer({ minimum: 0 })),
});
export type VerifyLocksRequest = Static<typeof VerifyLocksRequest>;

export const VerifyLocksResponse = Type.Object({
  ours: Type.Array(Lock),
  theirs: Type.Array(Lock),
  next_cursor: Type.Optional(Type.String()),
});
export type VerifyLocksResponse = Static<typeof VerifyLocksResponse>;

export const UnlockRequest = Type.Object({ force: Maybe(Type.Boolean()), ref: Maybe(Ref) });
export type UnlockRequest = Static<typeof UnlockRequest>;

export const ErrorResponse = Type.Object({
  message: Type.String(),
  request_id: Type.Optional(Type.String()),
  documentation_url: Type.Optional(Type.String()),
});
export type ErrorResponse = Static<typeof ErrorResponse>;
