import type { CLOUDS } from "../../support/cloud-stores.ts";
import type { Refusal } from "./store-line.ts";

type Words = Readonly<Record<keyof typeof CLOUDS, Refusal>>;

/** How each store asks to slow down. */
export const SLOW_DOWN: Words = {
  S3: s3(503, "SlowDown", "Please reduce your request rate."),
  Google: google(429, "rateLimitExceeded", "The project exceeded the rate limit for creating and deleting objects."),
  Azure: azure(503, "ServerBusy", "The server is busy."),
};

/** How each refuses somebody whom it knows what is not allowed. */
export const FORBIDDEN: Words = {
  S3: s3(403, "AccessDenied", "Access Denied"),
  Google: google(403, "forbidden", "lfs@example.com does not have storage.objects.get access to the object."),
  Azure: azure(403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation."),
};

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function s3(status: number, code: string, message: string): Refusal {
  const body = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { "Content-Type": "application/xml", "x-amz-request-id": "PLANTED" }, body };
}

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
function google(code: number, reason: string, message: string): Refusal {
  const body = JSON.stringify({ error: { code, message, errors: [{ domain: "global", reason, message }] } });
  return { status: code, headers: { "Content-Type": "application/json" }, body };
}

/** https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2 */
function azure(status: number, code: string, message: string): Refusal {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { "Content-Type": "application/xml", "x-ms-error-code": code }, body };
}
