import { S3ServiceException } from "@aws-sdk/client-s3";
import { StorageError, type StorageErrorCode } from "../errors.ts";

/** What a request was to do, for the message when it fails. */
export interface Doing {
  /** As in "storing objects/one". */
  readonly what: string;
  /** The permission that it takes, as policies spell it. */
  readonly needs: string;
  /** Without an answer nobody knows whether it was done. */
  readonly writes?: boolean;
}

/** Where it was to do it. */
export interface Place {
  readonly bucket: string;
  readonly region: string;
}

interface Meaning {
  readonly code: StorageErrorCode;
  readonly hint?: string;
  /** Where it is not what the code says by itself. */
  readonly retryable?: boolean;
  /** Whether a write may have been done all the same. */
  readonly uncertain?: boolean;
}

const absent: Meaning = { code: "not-found" };
const busy: Meaning = { code: "throttled" };
const expired: Meaning = { code: "denied", hint: "the credentials have expired or were revoked: renew them" };
const lost: Meaning = { code: "conflict" };
/** Somebody else was writing the object at that moment, and no condition has decided. */
const collided: Meaning = { code: "unavailable" };
const damaged: Meaning = { code: "corrupt", hint: "the bytes changed on their way" };
const wrong: Meaning = { code: "invalid" };
const failed: Meaning = { code: "unavailable", uncertain: true };
const full: Meaning = { code: "full", hint: "raise the quota or free space" };
const lacking: Meaning = { code: "unsupported", hint: "the store lacks this part of S3" };
/** For what somebody has to mend first. */
const broken = (hint?: string): Meaning => ({
  code: "unavailable",
  retryable: false,
  ...(hint === undefined ? {} : { hint }),
});
const denied = (hint: string): Meaning => ({ code: "denied", hint });

/** By the `Code` of an answer. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchKey: absent,
  NotFound: absent,
  NoSuchUpload: absent,
  NoSuchBucket: broken("create the bucket, or correct its name in the store URL"),

  InvalidAccessKeyId: denied("the store does not know the access key: check AWS_ACCESS_KEY_ID, or the profile"),
  XAdminUserNotFound: denied("the store does not know the access key: check AWS_ACCESS_KEY_ID, or the profile"),
  SignatureDoesNotMatch: denied("the secret key is not that of the access key: check AWS_SECRET_ACCESS_KEY"),
  RequestTimeTooSkewed: denied("the clock of this machine is wrong: set it"),
  RequestExpired: denied("the clock of this machine is wrong: set it"),
  ExpiredToken: expired,
  ExpiredTokenException: expired,
  InvalidToken: expired,
  TokenRefreshRequired: expired,
  InvalidObjectState: broken("the object is in an archive class: restore it, or use another storage class"),

  PreconditionFailed: lost,
  ConditionalRequestConflict: collided,
  OperationAborted: collided,

  SlowDown: busy,
  ServiceUnavailable: busy,
  RequestLimitExceeded: busy,
  Throttling: busy,
  ThrottlingException: busy,
  TooManyRequests: busy,
  TooManyRequestsException: busy,
  InternalError: failed,
  RequestTimeout: failed,
  IncompleteBody: failed,

  InvalidRange: { code: "invalid", hint: "the range begins behind the end of the object" },
  EntityTooLarge: wrong,
  EntityTooSmall: wrong,
  InvalidPart: wrong,
  InvalidPartOrder: wrong,
  KeyTooLongError: wrong,
  ObjectParentIsFile: {
    code: "invalid",
    hint: "this store keeps objects in folders, and the beginning of the key is an object",
  },
  BadDigest: damaged,
  XAmzContentChecksumMismatch: damaged,
  XAmzContentSHA256Mismatch: damaged,

  QuotaExceeded: full,
  StorageQuotaExceeded: full,
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
  NotImplemented: lacking,
  MethodNotAllowed: lacking,
};

/** For answers with another `Code`, or none. Not 404: only the names above say what it is that is absent. */
const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: { code: "denied" },
  403: { code: "denied" },
  405: lacking,
  409: collided,
  412: lost,
  413: wrong,
  416: wrong,
  429: busy,
  501: lacking,
  503: busy,
  507: full,
};

/** By the code of a connection that failed. The first four never reach the store. */
const BY_ERRNO: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { code: "unavailable", hint: "nothing listens there: is the endpoint right, and the store running?" },
  ENOTFOUND: { code: "unavailable", hint: "there is no such host: check the endpoint and the region" },
  EHOSTUNREACH: { code: "unavailable" },
  ENETUNREACH: { code: "unavailable" },
  EPROTO: broken("the endpoint does not speak TLS: is it http:// rather than https://?"),
  HPE_INVALID_CONSTANT: broken("the endpoint does not speak HTTP: is it https:// rather than http://?"),
};
const CERTIFICATE = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/;

/** Turns whatever a request failed with into a StorageError that says what, why and what to do. */
export function s3Error(error: unknown, doing: Doing, place: Place): StorageError {
  const { meaning, reason, secret } = read(error, doing, place);
  const hint = meaning.hint === undefined ? "" : `; ${meaning.hint}`;
  return new StorageError(meaning.code, `${doing.what} in the bucket ${place.bucket} failed: ${reason}${hint}`, {
    // What the SDK hangs on the errors of a store holds keys and signatures.
    ...(secret ? {} : { cause: error }),
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
    uncertain: meaning.uncertain === true && doing.writes === true,
  });
}

/** Whether the store refused without a word, as it does in answers to HEAD, which have no body. */
export function isBare(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name.startsWith("Unknown");
}

interface Reading {
  readonly meaning: Meaning;
  readonly reason: string;
  readonly secret: boolean;
}

function read(error: unknown, doing: Doing, place: Place): Reading {
  if (error instanceof S3ServiceException) {
    return { meaning: answered(error, doing, place), reason: saidBy(error), secret: true };
  }
  if (!(error instanceof Error)) return { meaning: failed, reason: String(error), secret: false };
  if (error.name === "CredentialsProviderError" || error.name === "TokenProviderError") {
    const hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or give this machine a role";
    return { meaning: denied(hint), reason: error.message, secret: false };
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const reason = error.message === "" ? code : error.message;
  if (CERTIFICATE.test(code)) {
    const hint =
      "the certificate of the endpoint is not trusted: NODE_EXTRA_CA_CERTS names a file with more authorities";
    return { meaning: broken(hint), reason, secret: false };
  }
  return { meaning: BY_ERRNO[code] ?? failed, reason, secret: false };
}

function answered(error: S3ServiceException, { needs }: Doing, { bucket, region }: Place): Meaning {
  const status = error.$metadata.httpStatusCode ?? 0;
  const home = error.$response?.headers["x-amz-bucket-region"] ?? detail(error, "Region");
  if ([301, 307, 400].includes(status) && home !== undefined && home !== region) {
    return broken(`the bucket is in the region ${home}, not in ${region}: write region=${home} into the store URL`);
  }
  if (status === 301 || status === 307) {
    const at = detail(error, "Endpoint");
    return broken(`the bucket is in another region than ${region}${at === undefined ? "" : `, at ${at}`}`);
  }
  const meaning = BY_NAME[error.name] ?? BY_STATUS[status];
  if (meaning?.code === "denied" && meaning.hint === undefined) {
    return denied(`allow these credentials ${needs} in the bucket ${bucket}`);
  }
  if (meaning !== undefined) return meaning;
  // A 400 to a HEAD is how S3 answers credentials that are no longer valid.
  if (status === 400 && isBare(error)) return expired;
  return status >= 500 ? failed : broken();
}

/** The store's own words. */
function saidBy(error: S3ServiceException): string {
  const { httpStatusCode: status, requestId } = error.$metadata;
  const code = isBare(error) ? `HTTP ${status ?? "?"}` : error.name;
  const message = error.message === "UnknownError" || error.message === "" ? "" : `: ${withoutSecrets(error.message)}`;
  return `${code}${message}${requestId === undefined ? "" : ` (request ${requestId})`}`;
}

function withoutSecrets(message: string): string {
  return message
    .slice(0, 500)
    .replace(/\b(A[KS]IA[A-Z0-9]{4})[A-Z0-9]+/g, "$1…")
    .replace(/\b((?:X-Amz-)?(?:Signature|Credential|Security-Token)|AWSAccessKeyId)\s*[=:]\s*[^\s&,;]+/gi, "$1=…");
}

/** An element of the answer beside code and message. */
function detail(error: S3ServiceException, name: string): string | undefined {
  const value = Object.entries(error).find(([key]) => key === name)?.[1];
  return typeof value === "string" && value !== "" ? value : undefined;
}
