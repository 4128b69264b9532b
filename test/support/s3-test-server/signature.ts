import { createHash, createHmac } from "node:crypto";
import { S3Error } from "./errors.ts";
import type { S3Request } from "./operations.ts";

/** By whom a request comes, and what its signature says of its body. */
export interface Signed {
  readonly accessKeyId: string;
  /** The SHA-256 of the body in hexadecimal digits; undefined when it is not signed. */
  readonly bodySha256: string | undefined;
}

export interface Verifier {
  readonly region: string;
  readonly secretOf: (accessKeyId: string) => string | undefined;
}

interface Signature {
  readonly accessKeyId: string;
  /** Of the scope: `YYYYMMDD`. */
  readonly day: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly time: string;
  readonly payload: string;
}

const MINUTE = 60_000;
/** How far clocks may be apart, in milliseconds. */
const SKEW = 15 * MINUTE;
const LONGEST_SECONDS = 7 * 24 * 3600;
const UNSIGNED = "UNSIGNED-PAYLOAD";

/**
 * Checks Signature Version 4, in a header or in the query.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
export function verify(request: S3Request, { region, secretOf }: Verifier): Signed {
  const { headers, query } = request;
  const presigned = query.has("X-Amz-Algorithm");
  if (presigned && headers.authorization !== undefined) {
    throw new S3Error("InvalidArgument", {}, "Only one auth mechanism allowed.");
  }
  const given = presigned ? inQuery(query) : inHeader(headers);
  const secret = secretOf(given.accessKeyId);
  if (secret === undefined) throw new S3Error("InvalidAccessKeyId");
  if (headers["x-amz-security-token"] !== undefined || query.has("X-Amz-Security-Token")) {
    // Nobody here has keys for a time.
    throw new S3Error("InvalidToken");
  }
  const malformed = presigned ? "AuthorizationQueryParametersError" : "AuthorizationHeaderMalformed";
  if (given.region !== region) {
    throw new S3Error(malformed, { Region: region }, `The region '${given.region}' is wrong; expecting '${region}'.`);
  }
  const signedAt = timeOf(given.time);
  if (signedAt === undefined || !given.time.startsWith(given.day)) throw new S3Error(malformed);
  if (presigned) checkExpiry(signedAt, query.get("X-Amz-Expires") ?? "");
  else if (Math.abs(Date.now() - signedAt) > SKEW) throw new S3Error("RequestTimeTooSkewed");
  if (signatureOf(request, given, secret) !== given.signature) throw new S3Error("SignatureDoesNotMatch");
  const left = Object.keys(headers).filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !given.signedHeaders.includes(name),
  );
  if (left.length > 0) {
    const message = "There were headers present in the request which were not signed";
    throw new S3Error("AccessDenied", { HeadersNotSigned: left.join(", ") }, message);
  }
  return { accessKeyId: given.accessKeyId, bodySha256: digestOf(given.payload) };
}

function inHeader(headers: S3Request["headers"]): Signature {
  const authorization = headers.authorization;
  if (authorization === undefined) throw new S3Error("AccessDenied");
  const fields =
    /^AWS4-HMAC-SHA256 +Credential=(?<id>[^/]+)\/(?<day>\d{8})\/(?<region>[^/]+)\/s3\/aws4_request, *SignedHeaders=(?<names>[^,]+), *Signature=(?<signature>[0-9a-f]{64})$/.exec(
      authorization,
    )?.groups;
  if (fields === undefined) throw new S3Error("AuthorizationHeaderMalformed");
  const { id = "", day = "", region = "", names = "", signature = "" } = fields;
  const payload = headers["x-amz-content-sha256"];
  if (typeof payload !== "string") {
    throw new S3Error("InvalidRequest", {}, "Missing required header for this request: x-amz-content-sha256");
  }
  const time = String(headers["x-amz-date"] ?? "");
  return { accessKeyId: id, day, region, signedHeaders: names.split(";"), signature, time, payload };
}

function inQuery(query: URLSearchParams): Signature {
  const credential = /^([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request$/.exec(query.get("X-Amz-Credential") ?? "");
  if (query.get("X-Amz-Algorithm") !== "AWS4-HMAC-SHA256" || credential === null) {
    throw new S3Error("AuthorizationQueryParametersError");
  }
  const [, accessKeyId = "", day = "", region = ""] = credential;
  return {
    accessKeyId,
    day,
    region,
    signedHeaders: (query.get("X-Amz-SignedHeaders") ?? "").split(";"),
    signature: query.get("X-Amz-Signature") ?? "",
    time: query.get("X-Amz-Date") ?? "",
    payload: query.get("X-Amz-Content-Sha256") ?? UNSIGNED,
  };
}

/** Milliseconds. */
function timeOf(text: string): number | undefined {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const time = iso === text ? Number.NaN : Date.parse(iso);
  return Number.isNaN(time) ? undefined : time;
}

function checkExpiry(signedAt: number, seconds: string): void {
  if (!/^\d+$/.test(seconds) || Number(seconds) < 1 || Number(seconds) > LONGEST_SECONDS) {
    throw new S3Error("AuthorizationQueryParametersError", {}, "X-Amz-Expires must be a number of at most a week.");
  }
  if (signedAt - SKEW > Date.now()) throw new S3Error("AccessDenied", {}, "Request is not valid yet");
  const end = signedAt + Number(seconds) * 1000;
  if (Date.now() > end) {
    const times = { Expires: new Date(end).toISOString(), ServerTime: new Date().toISOString() };
    throw new S3Error("AccessDenied", { "X-Amz-Expires": seconds, ...times }, "Request has expired");
  }
}

function signatureOf(request: S3Request, given: Signature, secret: string): string {
  const scope = `${given.day}/${given.region}/s3/aws4_request`;
  const canonical = createHash("sha256").update(canonicalOf(request, given)).digest("hex");
  const toSign = ["AWS4-HMAC-SHA256", given.time, scope, canonical].join("\n");
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, toSign).toString("hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function canonicalOf({ method, path: sent, query, headers }: S3Request, given: Signature): string {
  const path = sent
    .split("/")
    .map((segment) => encoded(decodeURIComponent(segment)))
    .join("/");
  const parameters = [...query]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((parameter) => parameter.join("="));
  const lines = given.signedHeaders.map(
    (name) =>
      `${name}:${String(headers[name] ?? "")
        .trim()
        .replace(/\s+/g, " ")}\n`,
  );
  return [method, path, parameters.join("&"), lines.join(""), given.signedHeaders.join(";"), given.payload].join("\n");
}

/** Everything but the unreserved characters of RFC 3986. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function digestOf(payload: string): string | undefined {
  if (payload === UNSIGNED) return undefined;
  if (/^[0-9a-f]{64}$/.test(payload)) return payload;
  // Signed chunk by chunk, or with checksums in trailers: the adapter switches that off.
  throw new S3Error("NotImplemented", { Header: "x-amz-content-sha256" });
}
