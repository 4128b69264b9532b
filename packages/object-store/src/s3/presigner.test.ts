import { GetObjectCommand, S3Client, UploadPartCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  assertBytes,
  bytesOf,
  collect,
  getBytes,
  key,
  putBytes,
  sha256Of,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import type { ObjectStore, SignedRequest } from "../port.ts";
import { connectS3 } from "./client.ts";
import { lineTo, withS3 } from "./fixtures/line.ts";
import type { S3Location } from "./options.ts";
import { S3Store } from "./store.ts";

const NOW = new Date("2026-03-04T05:06:07Z");
const KEYS = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
const PLAIN = { requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" } as const;
const ODD = parseKey("some folder/a+b & c=d é%41 (1)*!'~.bin");

/** With these keys in the environment, at this time. */
async function storeAt(t: TestContext, location: S3Location): Promise<S3Store> {
  t.mock.timers.enable({ apis: ["Date"], now: NOW });
  delete process.env["AWS_SESSION_TOKEN"];
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
    AWS_REGION: "eu-central-1",
  });
  const store = new S3Store(await connectS3(location));
  t.after(() => store.close());
  return store;
}

function parametersOf(url: string): Record<string, string> {
  return Object.fromEntries(new URL(url).searchParams);
}

test("a presigned request is what the SDK itself would sign", async (t) => {
  const places: readonly S3Location[] = [
    { kind: "s3", bucket: "some-bucket" },
    { kind: "s3", bucket: "dotted.bucket" },
    { kind: "s3", bucket: "some-bucket", region: "cn-north-1" },
    { kind: "s3", bucket: "some-bucket", pathStyle: true },
    { kind: "s3", bucket: "some-bucket", endpoint: "http://minio.example.com:9000/base" },
    { kind: "s3", bucket: "some-bucket", endpoint: "https://minio.example.com", pathStyle: false },
  ];
  for (const location of places) {
    const store = await storeAt(t, location);
    const { bucket: Bucket, region = "eu-central-1", endpoint, pathStyle = endpoint !== undefined } = location;
    const where = { region, forcePathStyle: pathStyle, ...(endpoint === undefined ? {} : { endpoint }) };
    const client = new S3Client({ ...where, credentials: KEYS, ...PLAIN });
    const disposition = "attachment; filename=\"a b.bin\"; filename*=UTF-8''a%20b.bin";
    for (const key of [parseKey("objects/one"), ODD]) {
      const request = await store.presign(key, { method: "GET", disposition, expiresIn: 60 });
      const get = new GetObjectCommand({ Bucket, Key: key, ResponseContentDisposition: disposition });
      assertSameRequest(request, await getSignedUrl(client, get, { expiresIn: 60 }), region);
      const upload = "0b0f0f4e-9c5b-4d0e-8f0a-1d1c5f3c2b1a.some.id";
      const part = await store.multipart.presignPart(key, upload, 7, { size: 10, expiresIn: 60 });
      const put = new UploadPartCommand({ Bucket, Key: key, UploadId: "some.id", PartNumber: 7 });
      assertSameRequest(part, await getSignedUrl(client, put, { expiresIn: 60 }), region);
    }
    t.mock.timers.reset();
  }
});

/** The SDK's has one more parameter, which only names the operation, so that the signature is another. */
function assertSameRequest(request: SignedRequest, url: string, region: string): void {
  const [{ "X-Amz-Signature": signature, ...ours }, theirs] = [parametersOf(request.url), parametersOf(url)];
  const { "X-Amz-Signature": _, "x-id": __, ...rest } = theirs;
  assert.equal(request.url.split("?")[0], url.split("?")[0]);
  assert.deepEqual(ours, rest);
  assert.match(signature ?? "", /^[0-9a-f]{64}$/);
  assert.equal(ours["X-Amz-Credential"], `${KEYS.accessKeyId}/20260304/${region}/s3/aws4_request`);
  assert.equal(ours["X-Amz-SignedHeaders"], "host");
}

test("a presigned request goes to the public endpoint, and nothing else does", async (t) => {
  const publicEndpoint = "https://s3.example.com";
  const endpoint = "http://10.0.0.1:9000";
  for (const [more, expected] of [
    [{ endpoint }, "https://s3.example.com/some-bucket/objects/one"],
    [{ endpoint, pathStyle: false }, "https://some-bucket.s3.example.com/objects/one"],
    [{}, "https://s3.example.com/some-bucket/objects/one"],
  ] as const) {
    const store = await storeAt(t, { kind: "s3", bucket: "some-bucket", publicEndpoint, ...more });
    const { url } = await store.presign(key, { method: "GET", expiresIn: 60 });
    assert.equal(url.split("?")[0], expected);
    t.mock.timers.reset();
  }
});

test("a presigned PUT pins its type, and its digest where there is one", async (t) => {
  const store = await storeAt(t, { kind: "s3", bucket: "some-bucket" });
  const sha256 = sha256Of(bytesOf(1, 10));
  const plain = await store.presign(key, { method: "PUT", size: 10, expiresIn: 60 });
  assert.deepEqual(plain.headers, { "Content-Type": "application/octet-stream" });
  assert.equal(parametersOf(plain.url)["X-Amz-SignedHeaders"], "content-type;host");
  const checked = await store.presign(key, { method: "PUT", size: 10, sha256, expiresIn: 60 });
  assert.deepEqual(checked.headers, {
    "Content-Type": "application/octet-stream",
    "x-amz-checksum-sha256": Buffer.from(sha256, "hex").toString("base64"),
  });
  assert.equal(parametersOf(checked.url)["X-Amz-SignedHeaders"], "content-type;host;x-amz-checksum-sha256");
  assert.ok(!checked.url.includes("checksum-sha256="), "it is no parameter");
  assert.deepEqual(checked.expiresAt, new Date(NOW.getTime() + 60_000));
  for (const size of [-1, Number.NaN, 5 * 1024 ** 3 + 1]) {
    await assert.rejects(store.presign(key, { method: "PUT", size, expiresIn: 60 }), withCode("invalid"));
  }
});

test("a request that is signed with borrowed credentials expires with them", async (t) => {
  const store = await storeAt(t, { kind: "s3", bucket: "some-bucket" });
  const expiration = new Date(NOW.getTime() + 3600_000);
  const borrowed = { AWS_SESSION_TOKEN: "some/token+", AWS_CREDENTIAL_EXPIRATION: expiration.toISOString() };
  Object.assign(process.env, borrowed);
  t.after(() => {
    for (const name of Object.keys(borrowed)) delete process.env[name];
  });
  const short = await store.presign(key, { method: "GET", expiresIn: 60 });
  assert.deepEqual(short.expiresAt, new Date(NOW.getTime() + 60_000));
  assert.equal(parametersOf(short.url)["X-Amz-Security-Token"], "some/token+");
  const long = await store.presign(key, { method: "GET", expiresIn: 86_400 });
  assert.deepEqual(long.expiresAt, expiration);
});

/** Whether the store takes it. */
async function isTaken({ method, url, headers }: SignedRequest, body?: Uint8Array): Promise<boolean> {
  const response = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  await response.arrayBuffer();
  assert.ok(response.ok || (response.status >= 400 && response.status < 500), String(response.status));
  return response.ok;
}

withS3("a presigned request is refused when it has expired", async (t, server) => {
  const { store } = await lineTo(t, server);
  await putBytes(store, key, bytesOf(1, 10));
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() - 120_000 });
  const expired = await store.presign(key, { method: "GET", expiresIn: 60 });
  const valid = await store.presign(key, { method: "GET", expiresIn: 600 });
  const put = await store.presign(key, { method: "PUT", size: 10, expiresIn: 60 });
  t.mock.timers.reset();
  assert.equal(await isTaken(expired), false);
  assert.equal(await isTaken(valid), true);
  assert.equal(await isTaken(put, bytesOf(2, 10)), false);
  assertBytes(await getBytes(store, key), bytesOf(1, 10));
});

withS3("a presigned PUT is refused for another key, another body or with other headers", async (t, server) => {
  const { store } = await lineTo(t, server);
  const sha256 = sha256Of(bytesOf(1, 10));
  const request = await store.presign(key, { method: "PUT", size: 10, sha256, expiresIn: 60 });
  const bytes = bytesOf(1, 10);
  assert.equal(await isTaken(request, bytesOf(2, 10)), false);
  assert.equal(await isTaken({ ...request, url: request.url.replace("/one", "/two") }, bytes), false);
  for (const name of Object.keys(request.headers)) {
    const { [name]: _, ...others } = request.headers;
    assert.equal(await isTaken({ ...request, headers: others }, bytes), false, `without ${name}`);
    assert.equal(await isTaken({ ...request, headers: { ...others, [name]: "text/plain" } }, bytes), false, name);
  }
  assert.deepEqual(await keysOf(store), []);
  assert.equal(await isTaken(request, bytes), true);
  assert.deepEqual(await keysOf(store), [key]);
});

async function keysOf(store: ObjectStore): Promise<string[]> {
  return (await collect(store.list(""))).map((stat) => stat.key);
}
