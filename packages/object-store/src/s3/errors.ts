import { S3ServiceException } from "@aws-sdk/client-s3";
import { StorageError, type StorageErrorCode } from "../errors.ts";

/** What a request was to do, for the message when it fails. */
export interface Doing {
  /** As in "storing objects/one". */
  readonly what: string;
  /** The permission that it takes, as policies spell it. */
  readonly needs: string;
  /** It may be that there is no such object, which S3 tells only those who may list. */
  readonly seeks?: boolean;
  /** Without an answer nobody knows whether it was done. */
  readonly writes?: boolean;
  /** It is a HEAD, to which the store says nothing but a status. */
  readonly head?: boolean;
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
const foreign: Meaning = broken("what answers there does not speak S3: check the endpoint");
const untrusted: Meaning = broken(
  "the certificate of the endpoint is not trusted: NODE_EXTRA_CA_CERTS names a file with more authorities",
);
const denied = (hint: string): Meaning => ({ code: "denied", hint });
/** The hint comes from what was to be done. */
const forbidden: Meaning = { code: "denied" };

/** By the `Code` of an answer. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchKey: absent,
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

/** For answers with another `Code`, or none. Not 404: any web server says that, and only names tell what is absent. */
const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: forbidden,
  403: forbidden,
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

/** By the code of a connection that failed; those without `uncertain` never reached the store. */
const BY_ERRNO: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { code: "unavailable", hint: "nothing listens there: is the endpoint right, and the store running?" },
  ENOTFOUND: { code: "unavailable", hint: "there is no such host: check the endpoint and the region" },
  EAI_AGAIN: { code: "unavailable", hint: "the name of the host could not be resolved at the moment" },
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
    ...(secret ? {} : { cause: error }),
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
    uncertain: meaning.uncertain === true && doing.writes === true,
  });
}

/** Whether the store refused without a word, and would say more to a request that is answered with a body. */
export function isUnexplained(error: unknown): boolean {
  if (!(error instanceof S3ServiceException) || !isBare(error)) return false;
  return [301, 307, 400, 401, 403].includes(error.$metadata.httpStatusCode ?? 0);
}

/** The SDK's name for an answer without a `Code`. */
function isBare(error: S3ServiceException): boolean {
  return error.name.startsWith("Unknown");
}

interface Reading {
  readonly meaning: Meaning;
  readonly reason: string;
  /** What the SDK hangs on its error holds keys and signatures. */
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
  const status = statusOf(error);
  if (status !== undefined) {
    const meaning = BY_STATUS[status] ?? (status >= 500 ? failed : foreign);
    return { meaning, reason: `HTTP ${status}, and a body that is not XML`, secret: true };
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const reason = error.message === "" ? code : error.message.trim();
  return { meaning: BY_ERRNO[code] ?? (CERTIFICATE.test(code) ? untrusted : failed), reason, secret: false };
}

function answered(error: S3ServiceException, { needs, seeks, head }: Doing, { bucket, region }: Place): Meaning {
  const status = error.$metadata.httpStatusCode ?? 0;
  const home = error.$response?.headers["x-amz-bucket-region"] ?? detail(error, "Region");
  if ([301, 307, 400].includes(status) && home !== undefined && home !== region) {
    return broken(`the bucket is in the region ${home}, not in ${region}: write region=${home} into the store URL`);
  }
  if (error.name === "PermanentRedirect" || error.name === "TemporaryRedirect") {
    const at = detail(error, "Endpoint");
    return broken(`the bucket is in another region than ${region}${at === undefined ? "" : `, at ${at}`}`);
  }
  // This is how the SDK calls a 404 without a `Code`.
  if (error.name === "NotFound") return head === true ? absent : foreign;
  const meaning = BY_NAME[error.name] ?? BY_STATUS[status];
  if (meaning === forbidden) {
    const list = seeks === true ? "; and s3:ListBucket, without which what is not there is answered like this too" : "";
    return denied(`allow these credentials ${needs} in the bucket ${bucket}${list}`);
  }
  if (meaning !== undefined) return meaning;
  // S3 answers a HEAD like this when credentials are no longer valid.
  if (status === 400 && head === true) return expired;
  if (status >= 500) return failed;
  return isBare(error) ? foreign : broken();
}

/** Of an answer that the SDK could not read. */
function statusOf(error: Error): number | undefined {
  if (!("$response" in error) || typeof error.$response !== "object" || error.$response === null) return undefined;
  const response = error.$response;
  return "statusCode" in response && typeof response.statusCode === "number" ? response.statusCode : undefined;
}

/** The store's own words. */
function saidBy(error: S3ServiceException): string {
  const { httpStatusCode: status, requestId } = error.$metadata;
  const code = isBare(error) || error.name === "NotFound" ? `HTTP ${status ?? "?"}` : error.name;
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
