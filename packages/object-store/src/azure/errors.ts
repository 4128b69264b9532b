import { isRestError, type RestError } from "@azure/storage-blob";
import { StorageError, type StorageErrorCode, type StorageErrorOptions } from "../errors.ts";
import { masked } from "./secrets.ts";

/** What a call needs to be allowed; `stage` is to write what nobody sees yet. */
export type Permission = "read" | "write" | "stage" | "delete" | "list" | "sign";

/** What was being done, for the message. */
export interface Attempt {
  /** As in "storing objects/one". */
  readonly doing: string;
  /** The container, as a store URL. */
  readonly at: string;
  readonly needs: Permission;
}

/** A failure that Azure gave a name of its own. */
export class AzureError extends StorageError {
  /** Azure's code, such as `BlobNotFound`; the status where there is none. */
  readonly azureCode: string;

  constructor(code: StorageErrorCode, message: string, azureCode: string, options: StorageErrorOptions) {
    super(code, message, options);
    this.azureCode = azureCode;
  }
}

/** Whether `error` is Azure's answer with one of these codes. */
export function isAzureError(error: unknown, ...azureCodes: readonly string[]): error is AzureError {
  return error instanceof AzureError && azureCodes.includes(error.azureCode);
}

interface Meaning {
  readonly code: StorageErrorCode;
  readonly hint?: string;
  readonly retryable?: boolean;
  /** Of a call that changes something: it may have done its work. */
  readonly uncertain?: boolean;
}

const NO_CONTAINER = "there is no such container: create it, or correct the store URL";
const NOT_ALLOWED = "the credentials are good, but not for this";
const NOT_KNOWN =
  "the credentials are not accepted: is the key, the SAS or the token this account's and still valid, and is this machine's clock right?";

/** What each of Azure's codes, or code and status, means to a caller. What is not here goes by its status. */
export const MEANING: Readonly<Record<string, Meaning>> = {
  BlobNotFound: { code: "not-found", hint: "there is no such object" },
  ContainerNotFound: { code: "unavailable", hint: NO_CONTAINER, retryable: false },
  ContainerDisabled: { code: "unavailable", hint: "the container is disabled by its administrator", retryable: false },
  ContainerBeingDeleted: { code: "unavailable", hint: "the container is being deleted", retryable: false },
  AccountBeingCreated: { code: "unavailable", hint: "the account is only just being created" },

  AuthenticationFailed: { code: "denied", hint: NOT_KNOWN },
  InvalidAuthenticationInfo: { code: "denied", hint: NOT_KNOWN },
  NoAuthenticationInformation: { code: "denied", hint: NOT_KNOWN },
  AuthorizationFailure: {
    code: "denied",
    hint: `${NOT_ALLOWED}, or a firewall of the account refuses this machine's address`,
  },
  AuthorizationPermissionMismatch: { code: "denied", hint: NOT_ALLOWED },
  AuthorizationResourceTypeMismatch: {
    code: "denied",
    hint: "the SAS is not for objects and containers: give it the resource types c and o",
  },
  AuthorizationServiceMismatch: { code: "denied", hint: "the SAS is not for the blob service" },
  AuthorizationProtocolMismatch: { code: "denied", hint: "the SAS is for https only, and the endpoint is not" },
  AuthorizationSourceIPMismatch: { code: "denied", hint: "the SAS is not for this machine's address" },
  InsufficientAccountPermissions: { code: "denied", hint: NOT_ALLOWED },
  KeyBasedAuthenticationNotPermitted: {
    code: "denied",
    hint: "the account allows no keys: unset AZURE_STORAGE_KEY and AZURE_STORAGE_CONNECTION_STRING, and use an identity",
  },
  PublicAccessNotPermitted: { code: "denied", hint: NOT_KNOWN },
  AccountIsDisabled: { code: "denied", hint: "the account is disabled: look at its subscription" },
  AccountRequiresHttps: { code: "denied", hint: "the account takes https only: correct the endpoint" },
  BlobImmutableDueToPolicy: { code: "denied", hint: "a policy of the container keeps the object as it is" },
  LeaseIdMissing: { code: "denied", hint: "another program holds a lease on the object: end it" },
  SnapshotsPresent: { code: "denied", hint: "the object has snapshots, which other programs made: delete them first" },

  BlobAlreadyExists: { code: "conflict", hint: "it exists already" },
  ConditionNotMet: { code: "conflict", hint: "it is not the version that was expected: read it again" },
  TargetConditionNotMet: { code: "conflict", hint: "it is not the version that was expected: read it again" },
  SourceConditionNotMet: { code: "conflict", hint: "the source is not the version that was expected: read it again" },

  ServerBusy: { code: "throttled", hint: "the account has reached a limit of what it does at once" },
  OperationTimedOut: { code: "unavailable", uncertain: true },
  InternalError: { code: "unavailable", uncertain: true },
  BlobModifiedWhileReading: { code: "unavailable", hint: "it was replaced meanwhile" },
  BlobArchived: {
    code: "unavailable",
    hint: "it lies in the archive tier: move it to Hot, Cool or Cold",
    retryable: false,
  },
  BlobBeingRehydrated: { code: "unavailable", hint: "it is on its way out of the archive tier" },
  InvalidBlobType: { code: "invalid", hint: "what is there is no block blob: another program put it there" },

  "CannotVerifyCopySource 404": { code: "not-found" },
  "CannotVerifyCopySource 412": {
    code: "conflict",
    hint: "the source is not the version that was expected: read it again",
  },

  InvalidRange: { code: "invalid" },
  RequestBodyTooLarge: { code: "invalid", hint: "that is more than one request may carry" },
  BlockCountExceedsLimit: { code: "invalid", hint: "an object has at most 50,000 parts" },
  InvalidBlockList: { code: "invalid", hint: "a part is missing" },
  InvalidBlobOrBlock: {
    code: "invalid",
    hint: "another program has begun to upload the same name: Azure forgets that after a week, or once the name is written",
  },
  InvalidResourceName: { code: "invalid", hint: "Azure does not allow that name" },
  Md5Mismatch: { code: "corrupt" },
  Crc64Mismatch: { code: "corrupt" },
};

/** In the order in which they are looked at. */
const BY_STATUS: readonly (readonly [(status: number) => boolean, Meaning])[] = [
  [(status) => status === 400, { code: "invalid" }],
  [(status) => status === 401 || status === 403, { code: "denied", hint: NOT_KNOWN }],
  [(status) => status === 408, { code: "unavailable", uncertain: true }],
  [(status) => status === 412, { code: "conflict" }],
  [(status) => status === 413 || status === 416, { code: "invalid" }],
  [(status) => status === 429, { code: "throttled", hint: "too many requests at once" }],
  [(status) => status === 501 || status === 505, { code: "unsupported" }],
  [(status) => status >= 500, { code: "unavailable", uncertain: true }],
  [() => true, { code: "unavailable", retryable: false }],
];

/** Said of an answer such as Azure never gives: something else answers there. */
const FOREIGN: Meaning = { code: "unavailable", hint: "is the endpoint right?", retryable: false };

/** The actions of Azure's roles, and the letters of a SAS. */
const GRANTS: Readonly<Record<Permission, string>> = {
  read: blobGrant("blobs/read", "r"),
  write: blobGrant("blobs/write", "w"),
  stage: blobGrant("blobs/write", "w"),
  delete: blobGrant("blobs/delete", "d"),
  list: blobGrant("blobs/read", "l"),
  sign: "give the identity the role Storage Blob Delegator on the account (the action Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action)",
};

function blobGrant(action: string, letter: string): string {
  const path = `Microsoft.Storage/storageAccounts/blobServices/containers/${action}`;
  return `give the identity the role Storage Blob Data Contributor on the container (the action ${path}), or the SAS the permission ${letter}`;
}

/** The request never got as far as the server. */
const NOT_SENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"];
const NOT_TRUSTED = "the endpoint's certificate is not trusted by this machine";
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;

/** Thrown by `@azure/identity` when it has no token to give. */
const IDENTITY_ERRORS = [
  "CredentialUnavailableError",
  "AggregateAuthenticationError",
  "AuthenticationError",
  "AuthenticationRequiredError",
];

const CREDENTIALS =
  'set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN; or have an identity: a managed one, AZURE_CLIENT_ID with AZURE_TENANT_ID and its secret, or "az login"';

/** Turns an error of Azure's packages into a StorageError; any other is returned as it is. */
export function azureError(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof Error) || error instanceof StorageError) return error;
  if (IDENTITY_ERRORS.includes(error.name)) return noIdentity(error, attempt);
  if (isRestError(error)) return error.statusCode === undefined ? noAnswer(error, attempt) : answer(error, attempt);
  // An answer that broke off, or that lacks what every answer of Azure has.
  return error.name === "AbortError" || error instanceof RangeError ? noAnswer(error, attempt) : error;
}

/** An error for a call that was not answered in time. */
export function noAnswerWithin(seconds: number, attempt: Attempt): StorageError {
  return new StorageError("unavailable", failed(attempt, `there was no answer within ${seconds} seconds`), {
    uncertain: changes(attempt),
  });
}

function answer(error: RestError, attempt: Attempt): StorageError {
  const status = error.statusCode ?? 0;
  const headers = error.response?.headers;
  const azureCode = headers?.get("x-ms-copy-source-error-code") ?? headers?.get("x-ms-error-code");
  const sourceStatus = Number(headers?.get("x-ms-copy-source-status-code") ?? status);
  const meaning = MEANING[`${azureCode} ${status}`] ?? MEANING[`${azureCode}`] ?? byStatus(sourceStatus, azureCode);
  const request = headers?.get("x-ms-request-id");
  const said = [azureCode, `status ${status}`, request === undefined ? undefined : `request ${request}`];
  const notAllowed = meaning.code === "denied" && meaning.hint?.startsWith(NOT_ALLOWED) === true;
  const about = masked(said.filter((part) => part !== undefined).join(", "));
  const grant = notAllowed ? GRANTS[attempt.needs] : undefined;
  return new AzureError(meaning.code, failed(attempt, about, meaning.hint, grant), azureCode ?? String(status), {
    cause: withoutSecrets(error),
    uncertain: meaning.uncertain === true && changes(attempt),
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
  });
}

function byStatus(status: number, azureCode: string | undefined): Meaning {
  const foreign = azureCode === undefined && (status <= 400 || status === 404);
  return (foreign ? undefined : BY_STATUS.find(([applies]) => applies(status))?.[1]) ?? FOREIGN;
}

function noAnswer(error: Error, attempt: Attempt): StorageError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const reason = error.name === "AbortError" ? "the connection broke off" : masked(error.message) || code;
  const lasting = error instanceof RangeError ? FOREIGN.hint : UNTRUSTED.test(code) ? NOT_TRUSTED : undefined;
  const hint = lasting ?? (code === "ENOTFOUND" ? "is there such an account?" : undefined);
  return new StorageError("unavailable", failed(attempt, reason, hint), {
    cause: withoutSecrets(error),
    retryable: lasting === undefined,
    uncertain: changes(attempt) && lasting !== NOT_TRUSTED && !NOT_SENT.includes(code),
  });
}

function noIdentity(error: Error, attempt: Attempt): StorageError {
  const reason = `there are no credentials for Azure (${error.name})`;
  return new StorageError("denied", failed(attempt, reason, CREDENTIALS), { cause: withoutSecrets(error) });
}

function failed({ doing, at }: Attempt, ...reasons: readonly (string | undefined)[]): string {
  return `${doing} in ${at} failed: ${reasons.filter((reason) => reason !== undefined).join("; ")}`;
}

function changes({ needs }: Attempt): boolean {
  return needs === "write" || needs === "delete";
}

/** Without the request and the answer, whose addresses and headers hold signatures. */
function withoutSecrets(error: Error): Error {
  const copy = new Error(masked(error.message));
  copy.name = error.name;
  copy.stack = masked(error.stack ?? "");
  return copy;
}
