import { StorageError } from "../errors.ts";
import { parseKey, type ObjectKey } from "../key.ts";

/** What an S3 store URL says. Credentials are no part of it: they come from the usual places of the AWS tools. */
export interface S3Location extends S3Parameters {
  readonly kind: "s3";
  readonly bucket: string;
  /** All keys of the store are below it. */
  readonly prefix?: ObjectKey;
  /** A section of `~/.aws/config` and `~/.aws/credentials`. */
  readonly profile?: string;
}

interface S3Parameters {
  readonly region?: string;
  /** Of a store that is not Amazon's: `http(s)://host[:port][/path]`. */
  readonly endpoint?: string;
  /** Where those who hold presigned requests reach the store, if not at {@link endpoint}. */
  readonly publicEndpoint?: string;
  /** `https://host/bucket/key` instead of `https://bucket.host/key`; the default where there is an endpoint. */
  readonly pathStyle?: boolean;
  /** How the store is to encrypt what it keeps. */
  readonly sse?: S3Encryption;
  /** Id or ARN of the key, for `aws:kms` and `aws:kms:dsse`. */
  readonly kmsKeyId?: string;
  /** One data key for many objects, for `aws:kms`. */
  readonly bucketKey?: boolean;
  readonly storageClass?: string;
  /** False for a store that ignores `If-Match` and `If-None-Match`. */
  readonly conditional?: boolean;
  /** False for a store that does not check the SHA-256 of a presigned PUT. */
  readonly sha256?: boolean;
}

type S3Encryption = "AES256" | "aws:kms" | "aws:kms:dsse";

type Parameter = keyof S3Parameters;

interface Rule<T> {
  /** Undefined for what is not allowed. */
  readonly read: (value: string) => T | undefined;
  readonly allowed: string;
}

const name: Rule<string> = {
  read: (value) => (/^[\w-]+$/.test(value) ? value : undefined),
  allowed: "letters, digits, hyphens and underscores",
};
const address: Rule<string> = { read: readAddress, allowed: "http(s)://host[:port][/path]" };
const flag: Rule<boolean> = {
  read: (value) => (value === "true" ? true : value === "false" ? false : undefined),
  allowed: "true or false",
};
const ENCRYPTIONS: readonly S3Encryption[] = ["AES256", "aws:kms", "aws:kms:dsse"];

const RULES: { readonly [P in Parameter]: Rule<Required<S3Parameters>[P]> } = {
  region: name,
  endpoint: address,
  publicEndpoint: address,
  pathStyle: flag,
  sse: { read: (value) => ENCRYPTIONS.find((one) => one === value), allowed: ENCRYPTIONS.join(", ") },
  kmsKeyId: { read: (value) => (/^[\w:/-]+$/.test(value) ? value : undefined), allowed: "the id or ARN of a KMS key" },
  bucketKey: flag,
  storageClass: name,
  conditional: flag,
  sha256: flag,
};
const PARAMETERS = Object.keys(RULES) as readonly Parameter[];

// Not by the URL class, which resolves `.` and `..` in the prefix without a word.
const FORM =
  /^s3:\/\/(?:(?<profile>[^@/?#]*)@)?(?<bucket>[^@/?#]*)(?:\/(?<prefix>[^?#]*))?(?:\?(?<query>[^#]*))?(?<fragment>#.*)?$/is;

/** A secret may contain a slash. */
const CREDENTIALS = /^s3:\/\/[^@/?#]*:[^@?#]*@/i;

type Refuse = (problem: string) => never;

/**
 * Reads `s3://[profile@]bucket[/prefix][?parameters]`. What is reserved in URLs is percent-encoded in it.
 * @throws StorageError `invalid` that says which part is wrong and what it may be
 */
export function parseS3Url(text: string): S3Location {
  const refuse: Refuse = (problem) => {
    throw new StorageError("invalid", `${quoted(text)} is not an S3 store URL: ${problem}`);
  };
  if (CREDENTIALS.test(text)) {
    return refuse("credentials are no part of it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile");
  }
  const parts = FORM.exec(text)?.groups;
  if (parts === undefined) return refuse("write s3://[profile@]bucket[/prefix][?region=…&endpoint=…]");
  if (parts["fragment"] !== undefined) return refuse("a # begins nothing in it; write %23 for the character");
  const profile = readProfile(parts["profile"], refuse);
  const prefix = readPrefix(parts["prefix"], refuse);
  return {
    kind: "s3",
    bucket: readBucket(parts["bucket"] ?? "", refuse),
    ...(prefix === undefined ? {} : { prefix }),
    ...(profile === undefined ? {} : { profile }),
    ...readParameters(parts["query"] ?? "", refuse),
  };
}

/** The URL that {@link parseS3Url} reads as this location. */
export function formatS3Url(location: S3Location): string {
  const user = location.profile === undefined ? "" : `${encodeURIComponent(location.profile)}@`;
  const path = location.prefix === undefined ? "" : `/${encoded(location.prefix)}`;
  const query = PARAMETERS.flatMap((parameter) => {
    const value = location[parameter];
    return value === undefined ? [] : [`${parameter}=${encoded(String(value))}`];
  });
  return `s3://${user}${location.bucket}${path}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

/** Slashes and colons, which need not be encoded behind the bucket, stay readable. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%3A", ":");
}

/** For messages, without the credentials that somebody may have written into it. */
function quoted(text: string): string {
  return JSON.stringify(text.replace(CREDENTIALS, "s3://…@").slice(0, 500));
}

function decode(text: string, what: string, refuse: Refuse): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse(`${what} has a % that encodes nothing; write %25 for the character`);
  }
}

function readProfile(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined) return undefined;
  const profile = decode(text, "the profile", refuse);
  if (profile === "") return refuse("the profile before the @ is empty");
  return profile;
}

function readBucket(bucket: string, refuse: Refuse): string {
  const no = (reason: string): never => refuse(`${JSON.stringify(bucket)} does not name a bucket: ${reason}`);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    return no(
      "that takes 3 to 63 lower-case letters, digits, dots and hyphens, the first and the last no dot or hyphen",
    );
  }
  if (bucket.includes("..")) return no("it has two dots in a row");
  if (/^\d+\.\d+\.\d+\.\d+$/.test(bucket)) return no("it looks like an IP address");
  if (bucket.endsWith("--x-s3")) return no("it is that of a directory bucket, which cannot list in order");
  return bucket;
}

function readPrefix(text: string | undefined, refuse: Refuse): ObjectKey | undefined {
  if (text === undefined || text === "") return undefined;
  const prefix = decode(text, "the prefix", refuse).replace(/\/$/, "");
  try {
    return parseKey(prefix);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return refuse(`as a prefix ${error.message}`);
  }
}

function readParameters(query: string, refuse: Refuse): S3Parameters {
  const read: { -readonly [P in Parameter]?: Required<S3Parameters>[P] } = {};
  const take = <P extends Parameter>(parameter: P, rule: Rule<Required<S3Parameters>[P]>, value: string): void => {
    if (read[parameter] !== undefined) refuse(`${parameter} is given twice`);
    read[parameter] = rule.read(value) ?? refuse(`${parameter} is ${JSON.stringify(value)}; it may be ${rule.allowed}`);
  };
  for (const [parameter, value] of new URLSearchParams(query)) {
    const known = PARAMETERS.find((one) => one === parameter);
    if (known === undefined) refuse(`there is no parameter ${parameter}; there are ${PARAMETERS.join(", ")}`);
    else take(known, RULES[known], value);
  }
  if (read.kmsKeyId !== undefined && read.sse?.startsWith("aws:kms") !== true) {
    refuse("kmsKeyId needs sse=aws:kms or sse=aws:kms:dsse");
  }
  if (read.bucketKey !== undefined && read.sse !== "aws:kms") refuse("bucketKey needs sse=aws:kms");
  return read;
}

function readAddress(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.host === "") return undefined;
  if (url.username !== "" || url.password !== "" || /[?#]/.test(value)) return undefined;
  return url.href.replace(/\/+$/, "");
}
