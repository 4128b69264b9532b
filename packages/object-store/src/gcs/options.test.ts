import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { isKey } from "../key.ts";
import { formatGcsUrl, type GcsLocation, parseGcsUrl } from "./options.ts";

test("a store URL names a bucket, and what else is known of it", () => {
  assert.deepEqual(parseGcsUrl("gs://my-bucket"), { kind: "gs", bucket: "my-bucket" });
  assert.deepEqual(parseGcsUrl("gs://my-bucket/"), { kind: "gs", bucket: "my-bucket" });
  assert.deepEqual(parseGcsUrl("GS://my.bucket_1/a/b%20c/%C3%A9/"), {
    kind: "gs",
    bucket: "my.bucket_1",
    prefix: "a/b c/é",
  });
  const parameters =
    "endpoint=http://127.0.0.1:4443&publicEndpoint=https://files.example.org/&project=my-project" +
    "&signer=signer@my-project.iam.gserviceaccount.com&storageClass=NEARLINE";
  assert.deepEqual(parseGcsUrl(`gs://abc?${parameters}`), {
    kind: "gs",
    bucket: "abc",
    endpoint: "http://127.0.0.1:4443",
    publicEndpoint: "https://files.example.org",
    project: "my-project",
    signer: "signer@my-project.iam.gserviceaccount.com",
    storageClass: "NEARLINE",
  });
});

test("what is wrong with a store URL is said, with the text itself and what is allowed", () => {
  for (const [text, reason] of [
    ["gs:bucket", /write gs:\/\/bucket/],
    ["s3://bucket", /write gs:\/\/bucket/],
    ["gs://bucket#part", /write gs:\/\/bucket/],
    ["gs://", /"" is not the name of a bucket, which has 3 to 63/],
    ["gs://ab", /"ab" is not the name of a bucket/],
    ["gs://Bucket", /lower-case/],
    ["gs://-bucket", /letter or digit at either end/],
    ["gs://a..b", /not the name of a bucket/],
    ["gs://192.168.0.1", /not the name of a bucket/],
    [`gs://${"x".repeat(64)}`, /not the name of a bucket/],
    ["gs://user:secret@bucket", /not the name of a bucket/],
    ["gs://bucket:443", /not the name of a bucket/],
    ["gs://bucket/a//b", /its prefix: .*two in a row/],
    ["gs://bucket//a", /its prefix: .*two in a row/],
    ["gs://bucket/a/../b", /its prefix: .*a segment is/],
    ["gs://bucket/%E9", /its prefix: a percent sign begins no percent-encoded character/],
    [
      "gs://bucket?region=eu",
      /there is no parameter "region"; there are endpoint, publicEndpoint, project, signer, storageClass/,
    ],
    ["gs://bucket?project=a&project=b", /project is given twice/],
    ["gs://bucket?endpoint=", /endpoint is https:\/\/host or http:\/\/host:port, without a path/],
    ["gs://bucket?endpoint=127.0.0.1:4443", /endpoint is https:\/\/host/],
    ["gs://bucket?endpoint=ftp://host", /endpoint is https:\/\/host/],
    ["gs://bucket?publicEndpoint=https://host/path", /publicEndpoint is https:\/\/host/],
    ["gs://bucket?endpoint=https://user:pw@host", /endpoint is https:\/\/host/],
    ["gs://bucket?project=", /project is the id or number of a project/],
    ["gs://bucket?signer=me", /signer is the email address of a service account/],
    ["gs://bucket?signer=a/b@c.d", /signer is the email address of a service account/],
    ["gs://bucket?storageClass=cold", /storageClass is one of STANDARD, NEARLINE, COLDLINE, ARCHIVE/],
  ] as const) {
    assert.throws(
      () => parseGcsUrl(text),
      (error) => {
        assert.ok(error instanceof StorageError, text);
        assert.equal(error.code, "invalid");
        assert.ok(error.message.startsWith(`${JSON.stringify(text)} is not a store URL: `), error.message);
        assert.match(error.message, reason);
        return true;
      },
      text,
    );
  }
});

test("every location comes back from its URL", () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9-]{1,20}[a-z0-9]$/);
  const prefix = fc
    .array(fc.string({ unit: "binary", minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 })
    .map((segments) => segments.join("/"))
    .filter(isKey);
  const port = fc.integer({ min: 1, max: 65_535 });
  const origin = fc.oneof(
    word.map((host) => `https://${host}.example.org`),
    port.filter((port) => port !== 80).map((port) => `http://127.0.0.1:${port}`),
  );
  const location: fc.Arbitrary<GcsLocation> = fc.record(
    {
      kind: fc.constant("gs" as const),
      bucket: word,
      prefix,
      endpoint: origin,
      publicEndpoint: origin,
      project: word,
      signer: word.map((name) => `${name}@project.iam.gserviceaccount.com`),
      storageClass: fc.constantFrom("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"),
    },
    { requiredKeys: ["kind", "bucket"] },
  );
  fc.assert(
    fc.property(location, (location) => assert.deepEqual(parseGcsUrl(formatGcsUrl(location)), { ...location })),
    { seed: 20_260_104, numRuns: 500 },
  );
});
