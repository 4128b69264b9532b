import { IdentityError, type IdentityErrorCode } from "@holdall/identity";
import { toLfsError, type LfsErrorCode } from "@holdall/lfs-service";
import { ClientGoneError } from "./receive-body.ts";

/** What a request says beside the API's message, in its headers or in the form of its body, cannot be. */
export class BadRequestError extends Error {
  override readonly name = "BadRequestError";
}

/** A body of JSON did not come to its end in time. */
export class LateBodyError extends Error {
  override readonly name = "LateBodyError";
}

export interface ErrorAnswer {
  readonly status: number;
  /** For the client: complete, and without secrets. */
  readonly message: string;
  /** Seconds, sent as Retry-After. */
  readonly retryAfter?: number;
  /** A failure of ours, which an operator must hear of. */
  readonly ours: boolean;
}

/** Every code with its status. docs/errors.md says the same, and a test holds the two together. */
export const STATUS_OF: Readonly<Record<LfsErrorCode | Exclude<IdentityErrorCode, "invalid">, number>> = {
  invalid: 422,
  "invalid-credentials": 401,
  unauthenticated: 401,
  // Clients up to 3.7 take a 401 for a reason to ask a helper again, even one that always gives the same answer.
  "refused-credentials": 403,
  forbidden: 403,
  "lock-held": 403,
  "invalid-action-token": 403,
  "expired-action-token": 403,
  "not-found": 404,
  lost: 404,
  locked: 409,
  incomplete: 409,
  "wrong-offset": 409,
  "length-required": 411,
  "too-many-objects": 413,
  "wrong-body": 400,
  // Clients repeat a batch after 429 with Retry-After, and give up at 503.
  throttled: 429,
  busy: 429,
  damaged: 500,
  failed: 500,
  unavailable: 503,
  full: 507,
};

/** Seconds. 429 without it makes clients up to 3.5 crash. */
const RETRY_AFTER: Readonly<Record<number, number>> = { 429: 1, 503: 10 };

/** Fastify's refusals that do not say by themselves what to do, by their status. */
const ADVICE: Readonly<Record<number, string>> = {
  413: "the body is larger than the server allows: ask for fewer objects at once (lfs.transfer.batchSize)",
  415: "the Content-Type has not the form of one: leave it out, or send application/vnd.git-lfs+json",
};

/** What is no path or no method of ours hears. */
export const NOTHING_HERE = {
  status: 404,
  message: "there is nothing at this URL: is it that of a repository?",
} as const satisfies Partial<ErrorAnswer>;

/** What the failure means to the client: the only place that makes statuses of errors. */
export function answerTo(error: unknown): ErrorAnswer {
  const lfsError = toLfsError(error);
  if (lfsError !== undefined) {
    const found = answer(STATUS_OF[lfsError.code], lfsError.message);
    // Why a store or a database asks to come back later, clients do not learn: the operator has to.
    return lfsError !== error && lfsError.code === "busy" ? { ...found, ours: true } : found;
  }
  if (error instanceof IdentityError && error.code !== "invalid") {
    return answer(STATUS_OF[error.code], error.message, error.retryAfter);
  }
  if (error instanceof ClientGoneError || error instanceof BadRequestError) return answer(400, error.message);
  if (error instanceof LateBodyError) return answer(408, error.message);
  if (isFastifyError(error)) {
    // Schemas are checked by Fastify; what they refuse is as invalid as what we refuse.
    const status = error.validation === undefined ? (error.statusCode ?? 500) : STATUS_OF.invalid;
    return answer(status, ADVICE[status] ?? error.message);
  }
  return answer(500, "the server failed");
}

function answer(status: number, message: string, retryAfter?: number): ErrorAnswer {
  const seconds = retryAfter ?? RETRY_AFTER[status];
  return { status, message, ours: status >= 500, ...(seconds === undefined ? {} : { retryAfter: seconds }) };
}

interface FastifyError extends Error {
  readonly statusCode?: number;
  readonly validation?: unknown;
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("FST_");
}
