import type { IncomingHttpHeaders } from "node:http";
import type { StoredObject } from "./buckets.ts";
import { S3Error } from "./errors.ts";

/**
 * Conditions of a request that makes or removes what is under a key.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html; that `If-Match` on what is absent is
 * 404 rather than 412, deletions included, was measured on S3: https://github.com/ministackorg/ministack/issues/1475
 */
export function checkWrite(headers: IncomingHttpHeaders, key: string, there: StoredObject | undefined): void {
  const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = headers;
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== "*") throw new S3Error("NotImplemented", { Header: "If-None-Match" });
    if (there !== undefined) throw new S3Error("PreconditionFailed", { Condition: "If-None-Match" });
  }
  if (ifMatch !== undefined) {
    if (there === undefined) throw new S3Error("NoSuchKey", { Key: key });
    if (!names(ifMatch, there)) throw new S3Error("PreconditionFailed", { Condition: "If-Match" });
  }
}

/** Of a request that reads. @returns whether the client has this version already */
export function checkRead(headers: IncomingHttpHeaders, there: StoredObject): boolean {
  const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = headers;
  if (ifMatch !== undefined && !names(ifMatch, there)) {
    throw new S3Error("PreconditionFailed", { Condition: "If-Match" });
  }
  return ifNoneMatch !== undefined && names(ifNoneMatch, there);
}

/** Of a copy, about its source. */
export function checkSource(headers: IncomingHttpHeaders, source: StoredObject): void {
  const ifMatch = headers["x-amz-copy-source-if-match"];
  if (ifMatch !== undefined && !names(String(ifMatch), source)) {
    throw new S3Error("PreconditionFailed", { Condition: "x-amz-copy-source-If-Match" });
  }
}

/** Etags are taken with quotes and without. */
function names(condition: string, { etag }: StoredObject): boolean {
  return condition
    .split(",")
    .map((one) => one.trim())
    .some((one) => one === "*" || one.replace(/^"(.*)"$/, "$1") === etag);
}
