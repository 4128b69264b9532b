import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { StorageError } from "../errors.ts";
import { connectionError, credentialsError, type Doing, isBucketMissing, refusalError, refusalOf } from "./errors.ts";

const storing: Doing = { what: "storing a", bucket: "b", writes: true };
const reading: Doing = { what: "reading a", bucket: "b", writes: false };

function inJson(status: number, reason: string, message = "Words."): string {
  return JSON.stringify({ error: { code: status, message, errors: [{ domain: "global", reason, message }] } });
}

const [transient, lasting] = [true, false];
const [done, perhaps] = [false, true];

describe("the table of Cloud Storage's refusals", () => {
  for (const [status, reason, code, retryable, uncertain, hint] of [
    [400, "invalid", "invalid", lasting, done, /$/],
    [400, "userProjectMissing", "denied", lasting, done, /add project=PROJECT to the store URL$/],
    [401, "required", "denied", lasting, done, /look at GOOGLE_APPLICATION_CREDENTIALS/],
    [403, "forbidden", "denied", lasting, done, /grant this identity the role Storage Object User on the bucket$/],
    [403, "accountDisabled", "denied", lasting, done, /the billing account of the project is closed/],
    [403, "retentionPolicyNotMet", "denied", lasting, done, /the bucket keeps objects for a time/],
    [403, "objectUnderActiveHold", "denied", lasting, done, /the object is on hold/],
    [403, "rateLimitExceeded", "throttled", transient, done, /$/],
    [403, "userRateLimitExceeded", "throttled", transient, done, /$/],
    [403, "quotaExceeded", "full", lasting, done, /the quota of the project is used up/],
    [404, "notFound", "unavailable", lasting, done, /create the bucket or correct the store URL$/],
    [405, "methodNotAllowed", "unavailable", lasting, done, /$/],
    [408, "uploadBrokenConnection", "unavailable", transient, perhaps, /$/],
    [409, "conflict", "unavailable", transient, done, /$/],
    [410, "gone", "unavailable", transient, done, /the upload session has ended$/],
    [412, "conditionNotMet", "conflict", lasting, done, /$/],
    [413, "uploadTooLarge", "invalid", lasting, done, /$/],
    [416, "requestedRangeNotSatisfiable", "invalid", lasting, done, /$/],
    [429, "rateLimitExceeded", "throttled", transient, done, /$/],
    [500, "internalError", "unavailable", transient, perhaps, /$/],
    [502, "badGateway", "unavailable", transient, perhaps, /$/],
    [503, "backendError", "throttled", transient, perhaps, /$/],
    [504, "gatewayTimeout", "unavailable", transient, perhaps, /$/],
    [599, "unheardOf", "unavailable", transient, perhaps, /$/],
  ] as const) {
    it(`turns ${status} ${reason} into ${code}`, () => {
      const error = refusalError(refusalOf(status, inJson(status, reason)), storing);
      assert.deepEqual([error.code, error.retryable, error.uncertain], [code, retryable, uncertain]);
      assert.ok(error.message.startsWith(`storing a in gs://b failed: ${status} ${reason} "Words."`), error.message);
      assert.match(error.message, hint);
      assert.equal(refusalError(refusalOf(status, inJson(status, reason)), reading).uncertain, false);
    });
  }

  it("names the permission that is missing", () => {
    const words = "x@y does not have storage.objects.create access to the Google Cloud Storage object.";
    const { message } = refusalError(refusalOf(403, inJson(403, "forbidden", words)), storing);
    assert.match(message, /; grant this identity storage\.objects\.create on the bucket, as the role/);
  });

  it("tells an object that is not there from a bucket that is not", () => {
    for (const words of ["No such object: b/a", "Object b/a (generation: 5) not found."]) {
      for (const text of [inJson(404, "notFound", words), words]) {
        assert.equal(refusalError(refusalOf(404, text), storing).code, "not-found");
        assert.equal(isBucketMissing(refusalOf(404, text)), false);
      }
    }
    const xml = "<?xml version='1.0'?><Error><Code>NoSuchBucket</Code><Message>It is not.</Message></Error>";
    for (const text of [inJson(404, "notFound", "The specified bucket does not exist."), xml]) {
      assert.equal(refusalError(refusalOf(404, text), storing).code, "unavailable");
      assert.equal(isBucketMissing(refusalOf(404, text)), true);
    }
  });

  it("quotes plain text, in one line and not for ever", () => {
    assert.deepEqual(refusalOf(502, " Bad\n  gateway "), { status: 502, message: "Bad gateway" });
    assert.equal(refusalOf(502, "x".repeat(10_000)).message.length, 500);
    assert.equal(refusalError(refusalOf(503, ""), reading).message, "reading a in gs://b failed: 503");
  });
});

describe("the table of broken connections", () => {
  for (const [name, syscall, retryable, uncertain, hint] of [
    ["ECONNREFUSED", "connect", transient, done, /look at the network and the endpoint/],
    ["ENOTFOUND", "getaddrinfo", transient, done, /look at the network and the endpoint/],
    ["EAI_AGAIN", "getaddrinfo", transient, done, /look at the network/],
    ["EHOSTUNREACH", "connect", transient, done, /look at the network/],
    ["ENETUNREACH", "connect", transient, done, /look at the network/],
    ["ECONNRESET", "read", transient, perhaps, /$/],
    ["ECONNABORTED", "read", transient, perhaps, /$/],
    ["EPIPE", "write", transient, perhaps, /$/],
    ["ETIMEDOUT", "connect", transient, done, /$/],
    ["ETIMEDOUT", undefined, transient, perhaps, /$/],
    ["HPE_INVALID_CONSTANT", undefined, transient, perhaps, /$/],
    ["EPROTO", "write", lasting, done, /does not speak TLS/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", undefined, lasting, done, /does not speak TLS/],
    ["ERR_SSL_PACKET_LENGTH_TOO_LONG", undefined, lasting, done, /does not speak TLS/],
    ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", undefined, transient, perhaps, /$/],
    ["CERT_HAS_EXPIRED", undefined, lasting, done, /set NODE_EXTRA_CA_CERTS/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", undefined, lasting, done, /set NODE_EXTRA_CA_CERTS/],
    ["SELF_SIGNED_CERT_IN_CHAIN", undefined, lasting, done, /set NODE_EXTRA_CA_CERTS/],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", undefined, lasting, done, /set NODE_EXTRA_CA_CERTS/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", undefined, lasting, done, /set NODE_EXTRA_CA_CERTS/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", undefined, lasting, done, /set NODE_EXTRA_CA_CERTS/],
  ] as const) {
    it(`turns ${name}${syscall === undefined ? "" : ` of ${syscall}`} into unavailable, and keeps the cause`, () => {
      const cause = Object.assign(new Error(`so it is`), { code: name, ...(syscall === undefined ? {} : { syscall }) });
      const error = connectionError(cause, storing);
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", retryable, uncertain]);
      assert.ok(error.message.startsWith(`storing a in gs://b failed: ${name} so it is`), error.message);
      assert.match(error.message, hint);
      assert.equal(error.cause, cause);
    });
  }

  it("leaves errors of others as they are", () => {
    const mistake = Object.assign(new TypeError("no"), { code: "ERR_INVALID_CHAR" });
    for (const error of [new StorageError("full", "full"), mistake, new Error("no"), "text", undefined]) {
      assert.equal(connectionError(error, storing), error);
    }
  });
});

test("what keeps credentials from being had is said, with what to do", () => {
  const signing = { what: "signing a URL for a", bucket: "b" };
  for (const [words, code, hint] of [
    ["Could not load the default credentials. Browse to …", "denied", /set GOOGLE_APPLICATION_CREDENTIALS to the file/],
    [
      "The file at /x does not exist, or it is not a file. ENOENT: no such file",
      "denied",
      /set GOOGLE_APPLICATION_CRED/,
    ],
    ["invalid_grant: Invalid JWT Signature.", "denied", /gcloud auth application-default login/],
    ["Permission 'iam.serviceAccounts.signBlob' denied on resource", "denied", /Service Account Token Creator/],
    ["Cannot sign data without `client_email`.", "denied", /signer= in the store URL/],
    [
      "request to https://oauth2.googleapis.com/token failed, reason: connect ECONNREFUSED",
      "unavailable",
      /could not be reached/,
    ],
    ["network timeout at: https://…", "unavailable", /could not be reached/],
  ] as const) {
    const error = credentialsError(new Error(words), signing);
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.uncertain], [code, false], words);
    assert.ok(error.message.startsWith(`signing a URL for a in gs://b failed: ${words}`), error.message);
    assert.match(error.message, hint);
  }
});
