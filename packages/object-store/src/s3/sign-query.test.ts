import { S3Client } from "@aws-sdk/client-s3";
import { S3RequestPresigner } from "@aws-sdk/s3-request-presigner";
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encoded, QuerySigner } from "./sign-query.ts";

const KEYS = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };

test("a signature is the one of the documentation's example", () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, but for the parameter that says that the
  // payload is not signed.
  const query = new QuerySigner("us-east-1").sign(
    { method: "GET", host: "examplebucket.s3.amazonaws.com", path: "/test.txt", query: {}, headers: {} },
    { credentials: KEYS, date: new Date("2013-05-24T00:00:00Z"), expiresIn: 86_400 },
  );
  assert.match(query, /^X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&/);
  assert.match(
    query,
    /&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&/,
  );
});

test("a signature is what the SDK makes of the same request, whatever is in it", async () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
  const names = fc.constantFrom("partNumber", "uploadId", "response-content-disposition", "a b", "é", "X-Amz-Zzz");
  const headers = fc.dictionary(
    fc.constantFrom("Content-Type", "x-amz-checksum-sha256", "x-amz-meta-holdall", "x-amz-storage-class"),
    fc.string({ unit: fc.constantFrom(..."abc /=+; ".split("")), minLength: 1, maxLength: 20 }),
  );
  const requests = fc.record({
    method: fc.constantFrom("GET", "PUT"),
    hostname: fc.constantFrom("some-bucket.s3.eu-central-1.amazonaws.com", "minio.example.com"),
    port: fc.constantFrom(undefined, 9000),
    segments: fc.array(text, { minLength: 1, maxLength: 4 }),
    query: fc.dictionary(names, text),
    headers,
    region: fc.constantFrom("eu-central-1", "auto"),
    sessionToken: fc.option(text, { nil: undefined }),
    time: fc.integer({ min: 1_000_000_000, max: 4_000_000_000 }),
    expiresIn: fc.integer({ min: 1, max: 604_800 }),
  });
  await fc.assert(
    fc.asyncProperty(
      requests,
      async ({ method, hostname, port, segments, query, headers, region, sessionToken, time, expiresIn }) => {
        const credentials = { ...KEYS, ...(sessionToken === undefined ? {} : { sessionToken }) };
        const client = new S3Client({ region, credentials });
        const names = Object.keys(headers).map((name) => name.toLowerCase());
        const path = `/${segments.map(encoded).join("/")}`;
        const date = new Date(time * 1000);
        const theirs = await new S3RequestPresigner({ ...client.config, region, credentials }).presign(
          {
            method,
            protocol: "https:",
            hostname,
            ...(port === undefined ? {} : { port }),
            path,
            // It writes into them.
            query: { ...query },
            headers: { ...headers },
          },
          {
            expiresIn,
            signingDate: date,
            unhoistableHeaders: new Set(names),
            signableHeaders: new Set(["host", ...names]),
          },
        );
        const host = port === undefined ? hostname : `${hostname}:${port}`;
        const ours = new QuerySigner(region).sign(
          { method, host, path, query, headers },
          { credentials, date, expiresIn },
        );
        const parameters = new URLSearchParams(ours);
        assert.equal(parameters.get("X-Amz-Signature"), theirs.query?.["X-Amz-Signature"]);
        assert.deepEqual(Object.fromEntries(parameters), { ...theirs.query });
        client.destroy();
      },
    ),
    { seed: 12, numRuns: 100 },
  );
});

test("the key of one day, region or secret signs nothing of another", () => {
  const signer = new QuerySigner("eu-central-1");
  const request = { method: "GET", host: "a", path: "/a", query: {}, headers: {} };
  const signature = (o: { day: string; secret: string }): string =>
    signer
      .sign(request, {
        credentials: { accessKeyId: "A", secretAccessKey: o.secret },
        date: new Date(`2026-03-${o.day}T00:00:00Z`),
        expiresIn: 60,
      })
      .slice(-64);
  const first = signature({ day: "01", secret: "s" });
  assert.notEqual(signature({ day: "02", secret: "s" }), first);
  assert.notEqual(signature({ day: "01", secret: "t" }), first);
  assert.equal(signature({ day: "01", secret: "s" }), first);
});
