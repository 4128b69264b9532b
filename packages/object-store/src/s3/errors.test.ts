import { S3ServiceException } from "@aws-sdk/client-s3";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StorageErrorCode } from "../errors.ts";
import { type Doing, isUnexplained, s3Error } from "./errors.ts";

const PLACE = { bucket: "some-bucket", region: "us-east-1" };
const READING: Doing = { what: "reading objects/one", needs: "s3:GetObject" };
const WRITING: Doing = { what: "storing objects/one", needs: "s3:PutObject", writes: true };

interface Answer {
  readonly status: number;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly details?: Readonly<Record<string, string>>;
}

function answer(name: string, { status, message = "why", headers = {}, details = {} }: Answer): S3ServiceException {
  const error = new S3ServiceException({
    name,
    message,
    $fault: "client",
    $metadata: { httpStatusCode: status, requestId: "REQUEST1" },
  });
  const $response = { statusCode: status, headers: { ...headers } };
  Object.defineProperty(error, "$response", { value: $response, enumerable: false });
  return Object.assign(error, details);
}

const BROKEN = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

/** Whether it is worth trying again, and whether a write may have been done. */
const TABLE: readonly (readonly [Error, StorageErrorCode, retryable: boolean, uncertain: boolean])[] = [
  [answer("NoSuchKey", { status: 404 }), "not-found", false, false],
  [answer("NoSuchUpload", { status: 404 }), "not-found", false, false],
  [answer("SomethingElse", { status: 404 }), "unavailable", false, false],
  [answer("NoSuchBucket", { status: 404 }), "unavailable", false, false],
  [answer("AccessDenied", { status: 403 }), "denied", false, false],
  [answer("InvalidAccessKeyId", { status: 403 }), "denied", false, false],
  [answer("SignatureDoesNotMatch", { status: 403 }), "denied", false, false],
  [answer("ExpiredToken", { status: 400 }), "denied", false, false],
  [answer("RequestTimeTooSkewed", { status: 403 }), "denied", false, false],
  [answer("Unknown", { status: 403 }), "denied", false, false],
  [answer("PreconditionFailed", { status: 412 }), "conflict", false, false],
  [answer("ConditionalRequestConflict", { status: 409 }), "unavailable", true, false],
  [answer("OperationAborted", { status: 409 }), "unavailable", true, false],
  [answer("SlowDown", { status: 503 }), "throttled", true, false],
  [answer("Unknown", { status: 503 }), "throttled", true, false],
  [answer("TooManyRequests", { status: 429 }), "throttled", true, false],
  [answer("RequestLimitExceeded", { status: 400 }), "throttled", true, false],
  [answer("InternalError", { status: 500 }), "unavailable", true, true],
  [answer("InternalError", { status: 200 }), "unavailable", true, true],
  [answer("Unknown", { status: 502 }), "unavailable", true, true],
  [answer("Unknown", { status: 504 }), "unavailable", true, true],
  [answer("RequestTimeout", { status: 400 }), "unavailable", true, true],
  [answer("PermanentRedirect", { status: 301 }), "unavailable", false, false],
  [answer("EntityTooLarge", { status: 400 }), "invalid", false, false],
  [answer("EntityTooSmall", { status: 400 }), "invalid", false, false],
  [answer("InvalidPart", { status: 400 }), "invalid", false, false],
  [answer("InvalidPartOrder", { status: 400 }), "invalid", false, false],
  [answer("InvalidRange", { status: 416 }), "invalid", false, false],
  [answer("BadDigest", { status: 400 }), "corrupt", false, false],
  [answer("XAmzContentChecksumMismatch", { status: 400 }), "corrupt", false, false],
  [answer("QuotaExceeded", { status: 403 }), "full", false, false],
  [answer("XMinioStorageFull", { status: 507 }), "full", false, false],
  [answer("NotImplemented", { status: 501 }), "unsupported", false, false],
  [answer("InvalidObjectState", { status: 403 }), "unavailable", false, false],
  [answer("InvalidArgument", { status: 400 }), "unavailable", false, false],
  [BROKEN("ECONNREFUSED"), "unavailable", true, false],
  [BROKEN("ENOTFOUND"), "unavailable", true, false],
  [BROKEN("ECONNRESET"), "unavailable", true, true],
  [BROKEN("ETIMEDOUT"), "unavailable", true, true],
  [BROKEN("DEPTH_ZERO_SELF_SIGNED_CERT"), "unavailable", false, false],
  [BROKEN("EPROTO"), "unavailable", false, false],
  [BROKEN("HPE_INVALID_CONSTANT"), "unavailable", false, false],
  [Object.assign(new Error("none"), { name: "CredentialsProviderError" }), "denied", false, false],
  [new Error("anything"), "unavailable", true, true],
];

test("each failure has its meaning", () => {
  for (const [thrown, code, retryable, uncertain] of TABLE) {
    const error = s3Error(thrown, WRITING, PLACE);
    const about = `${thrown.name} ${thrown.message}`;
    assert.deepEqual([error.code, error.retryable, error.uncertain], [code, retryable, uncertain], about);
    assert.equal(s3Error(thrown, READING, PLACE).uncertain, false, about);
  }
});

test("a message says what failed where, in the store's own words, and what to do", () => {
  const messages = [
    [
      answer("AccessDenied", { status: 403, message: "Access Denied" }),
      "AccessDenied: Access Denied (request REQUEST1); allow these credentials s3:GetObject in the bucket some-bucket",
    ],
    [
      answer("Unknown", { status: 403, message: "UnknownError" }),
      "HTTP 403 (request REQUEST1); allow these credentials s3:GetObject in the bucket some-bucket",
    ],
    [answer("InternalError", { status: 500 }), "InternalError: why (request REQUEST1)"],
    [
      BROKEN("ECONNREFUSED"),
      "connect ECONNREFUSED; nothing listens there: is the endpoint right, and the store running?",
    ],
    [Object.assign(new AggregateError([]), { code: "ETIMEDOUT" }), "ETIMEDOUT"],
    // OpenSSL ends its own with a line feed.
    [
      Object.assign(new Error("write EPROTO wrong version number\n"), { code: "EPROTO" }),
      "write EPROTO wrong version number; the endpoint does not speak TLS: is it http:// rather than https://?",
    ],
  ] as const;
  for (const [thrown, expected] of messages) {
    const { message } = s3Error(thrown, READING, PLACE);
    assert.equal(message, `reading objects/one in the bucket some-bucket failed: ${expected}`);
  }
});

test("a bucket in another region is told with that region, however the store tells it", () => {
  const hint = /; the bucket is in the region eu-west-1, not in us-east-1: write region=eu-west-1 into the store URL$/;
  const headers = { "x-amz-bucket-region": "eu-west-1" };
  for (const error of [
    answer("PermanentRedirect", { status: 301, headers }),
    answer("Unknown", { status: 301, headers }),
    answer("Unknown", { status: 400, headers }),
    answer("AuthorizationHeaderMalformed", { status: 400, details: { Region: "eu-west-1" } }),
  ]) {
    assert.match(s3Error(error, READING, PLACE).message, hint);
  }
  const elsewhere = answer("PermanentRedirect", { status: 301, details: { Endpoint: "b.s3.eu-west-1.amazonaws.com" } });
  assert.match(
    s3Error(elsewhere, READING, PLACE).message,
    /another region than us-east-1, at b\.s3\.eu-west-1\.amazonaws\.com$/,
  );
  const here = answer("Unknown", { status: 400, headers: { "x-amz-bucket-region": "us-east-1" } });
  assert.equal(s3Error(here, { ...READING, head: true }, PLACE).code, "denied");
});

test("keys and signatures stay out of it", () => {
  const message =
    "bad AKIAIOSFODNN7EXAMPLE, Credential=AKIAIOSFODNN7EXAMPLE/20260101, X-Amz-Signature=abcdef0123&x, Signature: abcdef0123";
  const details = {
    StringToSign: "abcdef0123",
    SignatureProvided: "abcdef0123",
    AWSAccessKeyId: "AKIAIOSFODNN7EXAMPLE",
  };
  const error = s3Error(answer("Odd", { status: 400, message, details }), READING, PLACE);
  assert.doesNotMatch(
    `${error.stack} ${JSON.stringify(error)} ${JSON.stringify(error.cause)}`,
    /abcdef0123|IOSFODNN7EXAMPLE/,
  );
  assert.match(error.message, /Odd: bad AKIAIOSF…, Credential=…, X-Amz-Signature=…&x, Signature=… \(request/);
});

const bare = (status: number): S3ServiceException => answer("Unknown", { status, message: "UnknownError" });

test("what answers without S3's words is no store", () => {
  const looking: Doing = { ...READING, head: true };
  const absent = answer("NotFound", { status: 404, message: "UnknownError" });
  assert.equal(s3Error(absent, looking, PLACE).code, "not-found");
  assert.equal(s3Error(answer("Unknown", { status: 400 }), looking, PLACE).code, "denied");
  const unreadable = new Error("XML parse error");
  Object.defineProperty(unreadable, "$response", { value: { statusCode: 404, headers: {} }, enumerable: false });
  for (const error of [absent, bare(302), bare(400), unreadable]) {
    const { code, retryable, message } = s3Error(error, READING, PLACE);
    assert.deepEqual([code, retryable], ["unavailable", false]);
    assert.match(message, /failed: HTTP \d{3}.*; what answers there does not speak S3: check the endpoint$/);
  }
});

test("whoever may not list is told that what was forbidden may only be absent", () => {
  const { message } = s3Error(answer("AccessDenied", { status: 403 }), { ...READING, seeks: true }, PLACE);
  assert.match(
    message,
    /; allow these credentials s3:GetObject in the bucket some-bucket; and s3:ListBucket, without which what is not there is answered like this too$/,
  );
});

test("a refusal without a word is known by having no code", () => {
  assert.equal(isUnexplained(answer("Unknown", { status: 403 })), true);
  assert.equal(isUnexplained(answer("Unknown", { status: 503 })), false);
  assert.equal(isUnexplained(answer("AccessDenied", { status: 403 })), false);
  assert.equal(isUnexplained(new Error("Unknown")), false);
});
