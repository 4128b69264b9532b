import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { isKey, parseKey } from "../key.ts";
import { formatS3Url, parseS3Url, type S3Location } from "./options.ts";

test("a bucket alone is enough", () => {
  assert.deepEqual(parseS3Url("s3://holdall"), { kind: "s3", bucket: "holdall" });
  assert.deepEqual(parseS3Url("s3://holdall/"), { kind: "s3", bucket: "holdall" });
  assert.deepEqual(parseS3Url("S3://holdall?"), { kind: "s3", bucket: "holdall" });
});

test("every part has its place", () => {
  const text =
    "s3://team%20a@my.bucket-1/some%20dir/b%40/?region=eu-central-1&endpoint=https://minio.example.com:9000/&" +
    "publicEndpoint=https%3A%2F%2Fs3.example.com&pathStyle=false&sse=aws:kms&kmsKeyId=arn:aws:kms:eu-central-1:1:key/a-b&" +
    "bucketKey=true&storageClass=STANDARD_IA&conditional=false&sha256=false";
  assert.deepEqual(parseS3Url(text), {
    kind: "s3",
    bucket: "my.bucket-1",
    prefix: "some dir/b@",
    profile: "team a",
    region: "eu-central-1",
    endpoint: "https://minio.example.com:9000",
    publicEndpoint: "https://s3.example.com",
    pathStyle: false,
    sse: "aws:kms",
    kmsKeyId: "arn:aws:kms:eu-central-1:1:key/a-b",
    bucketKey: true,
    storageClass: "STANDARD_IA",
    conditional: false,
    sha256: false,
  });
});

const REFUSED: readonly (readonly [text: string, message: RegExp])[] = [
  ["s3:", /write s3:\/\/\[profile@\]bucket/],
  ["s3:/holdall", /write s3:/],
  ["https://holdall", /write s3:/],
  ["s3://", /"" does not name a bucket: .*3 to 63/],
  ["s3://ab", /"ab" does not name a bucket/],
  ["s3://Holdall", /"Holdall" does not name a bucket: .*lower-case/],
  ["s3://hold_all", /"hold_all" does not name a bucket/],
  ["s3://holdall-", /does not name a bucket/],
  ["s3://hold..all", /two dots/],
  ["s3://192.168.1.1", /IP address/],
  ["s3://holdall:9000", /"holdall:9000" does not name a bucket/],
  ["s3://some--use1-az4--x-s3", /directory bucket/],
  ["s3://@holdall", /profile before the @ is empty/],
  ["s3://%zz@holdall", /the profile has a %/],
  ["s3://holdall/a//b", /prefix .*two in a row/],
  ["s3://holdall//", /prefix .*is not an object key/],
  ["s3://holdall/a/../b", /prefix .*segment is \\?"\.\./],
  ["s3://holdall/%2e%2e", /prefix .*segment is/],
  ["s3://holdall/%zz", /the prefix has a %/],
  ["s3://holdall#a", /# begins nothing/],
  ["s3://holdall?zone=a", /no parameter zone; there are region, endpoint, .*sha256$/],
  ["s3://holdall?Region=a", /no parameter Region/],
  ["s3://holdall?region=", /region is ""; it may be letters/],
  ["s3://holdall?region=a&region=b", /region is given twice/],
  ["s3://holdall?pathStyle=yes", /pathStyle is "yes"; it may be true or false/],
  ["s3://holdall?endpoint=minio:9000", /endpoint is "minio:9000"; it may be http\(s\):\/\/host/],
  ["s3://holdall?endpoint=ftp://minio", /endpoint is/],
  ["s3://holdall?endpoint=https://a:b@minio", /endpoint is/],
  ["s3://holdall?publicEndpoint=https://minio/?a", /publicEndpoint is/],
  ["s3://holdall?sse=aes", /sse is "aes"; it may be AES256, aws:kms, aws:kms:dsse/],
  ["s3://holdall?kmsKeyId=a", /kmsKeyId needs sse=aws:kms/],
  ["s3://holdall?sse=AES256&kmsKeyId=a", /kmsKeyId needs sse=aws:kms/],
  ["s3://holdall?sse=aws:kms:dsse&bucketKey=true", /bucketKey needs sse=aws:kms/],
  ["s3://holdall?storageClass=a b", /storageClass is "a b"/],
];

test("what is wrong is refused by name, and the text is quoted", () => {
  for (const [text, message] of REFUSED) {
    assert.throws(
      () => parseS3Url(text),
      (error) => {
        assert.ok(error instanceof StorageError && error.code === "invalid");
        assert.ok(error.message.startsWith(`${JSON.stringify(text)} is not an S3 store URL: `), error.message);
        assert.match(error.message, message);
        return true;
      },
      text,
    );
  }
});

test("credentials are refused without being repeated", () => {
  for (const secret of ["secret", "sec/r+et", "sec:ret"]) {
    assert.throws(() => parseS3Url(`s3://AKIAEXAMPLE:${secret}@holdall/a?region=b`), {
      name: "StorageError",
      message:
        '"s3://…@holdall/a?region=b" is not an S3 store URL: credentials are no part of it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile',
    });
  }
});

const letters = fc.string({ unit: fc.constantFrom("a", "b", "z", "0", "9"), minLength: 3, maxLength: 20 });
const address = fc
  .tuple(fc.constantFrom("http", "https"), fc.webAuthority(), fc.constantFrom("", "/base", "/a/b"))
  .map(([protocol, host, path]) => URL.parse(`${protocol}://${host}${path}`)?.href.replace(/\/$/, "") ?? "http://a")
  .filter((href) => !href.includes("@"));
const optional = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(values, { nil: undefined });

const locations: fc.Arbitrary<S3Location> = fc
  .record({
    bucket: letters,
    prefix: optional(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter(isKey).map(parseKey)),
    profile: optional(fc.string({ unit: "grapheme", minLength: 1 })),
    region: optional(fc.constantFrom("eu-central-1", "auto", "some_zone")),
    endpoint: optional(address),
    publicEndpoint: optional(address),
    pathStyle: optional(fc.boolean()),
    encryption: fc.constantFrom(
      {},
      { sse: "AES256" } as const,
      { sse: "aws:kms", bucketKey: true } as const,
      { sse: "aws:kms:dsse", kmsKeyId: "arn:aws:kms:eu-central-1:111122223333:key/0-1" } as const,
    ),
    storageClass: optional(fc.constantFrom("STANDARD", "GLACIER_IR")),
    conditional: optional(fc.boolean()),
    sha256: optional(fc.boolean()),
  })
  .map(({ encryption, ...rest }) => {
    const given = Object.entries({ ...rest, ...encryption }).filter(([, value]) => value !== undefined);
    return Object.assign({ kind: "s3" as const, bucket: rest.bucket }, Object.fromEntries(given));
  });

test("any location survives being written as a URL", () => {
  fc.assert(
    fc.property(locations, (location) => {
      assert.deepEqual(parseS3Url(formatS3Url(location)), location);
    }),
    { seed: 20_260_104, numRuns: 500 },
  );
});

test("what was written by hand is written in one way", () => {
  assert.equal(
    formatS3Url(parseS3Url("s3://p@holdall/a%2Fb%3F/?endpoint=http%3A%2F%2F127.0.0.1%3A9000%2F&region=auto")),
    "s3://p@holdall/a/b%3F?region=auto&endpoint=http://127.0.0.1:9000",
  );
});
