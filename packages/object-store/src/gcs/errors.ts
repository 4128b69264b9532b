import { StorageError, type StorageErrorCode, type StorageErrorOptions } from "../errors.ts";

interface Meaning {
  readonly code: StorageErrorCode;
  readonly hint?: string;
  readonly retryable?: boolean;
  /** A call that writes may have done its work all the same. */
  readonly uncertain?: boolean;
}

/**
 * What the reason in an answer means, where it says more than its status.
 * https://cloud.google.com/storage/docs/json_api/v1/status-codes
 */
const REASONS: Readonly<Record<string, Meaning>> = {
  rateLimitExceeded: { code: "throttled" },
  userRateLimitExceeded: { code: "throttled" },
  quotaExceeded: { code: "full", hint: "the quota of the project is used up: raise it or wait until it is renewed" },
  accountDisabled: { code: "denied", hint: "the billing account of the project is closed: open it again" },
  retentionPolicyNotMet: { code: "denied", hint: "the bucket keeps objects for a time: wait, or change its policy" },
  NoSuchKey: { code: "not-found" },
  objectUnderActiveHold: { code: "denied", hint: "the object is on hold: release it" },
  userProjectMissing: {
    code: "denied",
    hint: "the requester pays for this bucket: add project=PROJECT to the store URL",
  },
};

/** What the status of an answer means. Other 4xx are the adapter's own fault; other 5xx are as 500. */
const STATUSES: Readonly<Record<number, Meaning>> = {
  400: { code: "invalid" },
  401: {
    code: "denied",
    hint: "the credentials were not accepted: look at GOOGLE_APPLICATION_CREDENTIALS or the service account of this machine",
  },
  403: { code: "denied" },
  404: { code: "unavailable", hint: "create the bucket or correct the store URL", retryable: false },
  408: { code: "unavailable", uncertain: true },
  409: { code: "unavailable" },
  410: { code: "unavailable", hint: "the upload session has ended", retryable: true },
  412: { code: "conflict" },
  413: { code: "invalid" },
  416: { code: "invalid" },
  429: { code: "throttled" },
  500: { code: "unavailable", uncertain: true },
  503: { code: "throttled", uncertain: true },
};

const BROKEN: Meaning = { code: "unavailable", uncertain: true };
const UNREACHED: Meaning = { code: "unavailable", hint: "look at the network and the endpoint of the store URL" };
const UNTRUSTED: Meaning = {
  code: "unavailable",
  hint: "its certificate is not trusted: set NODE_EXTRA_CA_CERTS to a file with the certificate authority's",
  retryable: false,
};

const NO_TLS: Meaning = {
  code: "unavailable",
  hint: "it does not speak TLS: is the endpoint meant to be http?",
  retryable: false,
};

/** What an error of a connection means; others of the operating system, of TLS and of the parser are as a broken one. */
const CONNECTIONS: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: UNREACHED,
  ENOTFOUND: UNREACHED,
  EAI_AGAIN: UNREACHED,
  EHOSTUNREACH: UNREACHED,
  ENETUNREACH: UNREACHED,
  ECONNRESET: BROKEN,
  ECONNABORTED: BROKEN,
  EPIPE: BROKEN,
  ETIMEDOUT: BROKEN,
  ERR_STREAM_PREMATURE_CLOSE: BROKEN,
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_TLS_CERT_ALTNAME_INVALID: UNTRUSTED,
  CERT_HAS_EXPIRED: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
};

/** What a call was about, for the message of its error. */
export interface Doing {
  /** As in `storing objects/one`. */
  readonly what: string;
  readonly bucket: string;
  /** Whether it may change something, so that without an answer nobody knows whether it did. */
  readonly writes: boolean;
}

/** An answer that is no success. */
export interface Refusal {
  readonly status: number;
  readonly reason?: string;
  /** The store's own words. */
  readonly message: string;
}

/** Of the store's own words, in a message. */
const QUOTED = 500;

/**
 * Reads the body of an answer that is no success: an `error` object of the JSON API, an `<Error>` of the XML API, or
 * plain text, as downloads have it.
 */
export function refusalOf(status: number, text: string): Refusal {
  const { reason, message } = inJson(text) ?? inXml(text) ?? { message: text };
  const words = message.replaceAll(/\s+/g, " ").trim().slice(0, QUOTED);
  return { status, message: words, ...(reason === undefined ? {} : { reason }) };
}

/** Whether it is the bucket that is not there, rather than an object. */
export function isBucketMissing({ status, reason, message }: Refusal): boolean {
  return status === 404 && (reason === "NoSuchBucket" || /bucket does not exist/i.test(message));
}

export function refusalError(refusal: Refusal, doing: Doing): StorageError {
  const { status, reason, message } = refusal;
  const meaning = (reason === undefined ? undefined : REASONS[reason]) ?? meaningOf(status, message);
  const said = [status, reason, message === "" ? undefined : JSON.stringify(message)].filter(
    (part) => part !== undefined,
  );
  const hint = meaning.hint ?? (meaning.code === "denied" ? grant(message) : undefined);
  return failed(doing, said.join(" "), { ...meaning, ...(hint === undefined ? {} : { hint }) });
}

/** Turns an error of a connection into a StorageError; any other error is returned as it is. */
export function connectionError(error: unknown, doing: Doing): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  const meaning =
    CONNECTIONS[error.code] ?? (/^(?:E(?!RR_)|HPE_|ERR_(?:SSL|TLS)_)/.test(error.code) ? BROKEN : undefined);
  if (meaning === undefined) return error;
  // Nothing has been sent where no connection came about.
  const unsent = "syscall" in error && error.syscall === "connect";
  const said = error.message.includes(error.code) ? error.message : `${error.code} ${error.message}`.trimEnd();
  return failed(doing, said, unsent ? { ...meaning, uncertain: false } : meaning, error);
}

/** What keeps credentials from being had, or URLs from being signed, in Google's own words; those hold no secret. */
export function credentialsError(error: unknown, doing: Omit<Doing, "writes">): unknown {
  if (!(error instanceof Error)) return error;
  const about = { ...doing, writes: false };
  const said = error.message.replaceAll(/\s+/g, " ").slice(0, QUOTED);
  // The SDK hands on words alone where it signs.
  const isStatus = "status" in error && typeof error.status === "number" && error.status >= 500;
  const isUnreached = /\bE(?!NOENT)[A-Z]{4,}\b|status code 5\d\d|[Nn]etwork|[Ss]ocket|[Tt]imed? ?out|[Pp]remature/.test(
    said,
  );
  return isStatus || isUnreached
    ? failed(about, said, { code: "unavailable", hint: "Google's servers for credentials could not be reached" })
    : failed(about, said, { code: "denied", hint: credentialsHint(said) });
}

function credentialsHint(said: string): string {
  if (/signBlob|client_email/i.test(said)) {
    return (
      "give the email address of a service account as signer= in the store URL, and this identity the role " +
      "Service Account Token Creator (iam.serviceAccounts.signBlob) on it; or use the key of a service account"
    );
  }
  return (
    "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key or of a workload identity, " +
    "run `gcloud auth application-default login`, or give this machine a service account"
  );
}

function meaningOf(status: number, message: string): Meaning {
  if (status === 404 && /^no such object|^object .* not found/i.test(message)) return { code: "not-found" };
  const meaning = STATUSES[status];
  if (meaning !== undefined) return meaning;
  return status >= 500 ? BROKEN : { code: "unavailable", retryable: false };
}

/** What to grant, by the permission that the store's own words name. */
function grant(message: string): string {
  const permission = /\b(?:storage|serviceusage)\.\w+\.\w+/.exec(message)?.[0];
  return permission === undefined
    ? "grant this identity the role Storage Object User on the bucket"
    : `grant this identity ${permission} on the bucket, as the role Storage Object User does`;
}

function failed({ what, bucket, writes }: Doing, said: string, meaning: Meaning, cause?: Error): StorageError {
  const { code, hint, retryable, uncertain = false } = meaning;
  const options: StorageErrorOptions = {
    uncertain: uncertain && writes,
    ...(retryable === undefined ? {} : { retryable }),
    ...(cause === undefined ? {} : { cause }),
  };
  return new StorageError(
    code,
    `${what} in gs://${bucket} failed: ${said}${hint === undefined ? "" : `; ${hint}`}`,
    options,
  );
}

function inJson(text: string): { reason?: string; message: string } | undefined {
  const error = property(parsed(text), "error");
  const message = property(error, "message");
  if (typeof message !== "string") return undefined;
  const errors = property(error, "errors");
  const reason = Array.isArray(errors) ? property(errors[0], "reason") : undefined;
  return { message, ...(typeof reason === "string" ? { reason } : {}) };
}

function inXml(text: string): { reason?: string; message: string } | undefined {
  const [, reason] = /<Code>([^<]*)<\/Code>/.exec(text) ?? [];
  const [, message = ""] = /<Message>([^<]*)<\/Message>/.exec(text) ?? [];
  return reason === undefined ? undefined : { reason, message };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
