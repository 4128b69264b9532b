import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { bytesOf, collect, key as Key, listKeys, MiB, putBytes } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { Bucket } from "./bucket.ts";
import { connectS3 } from "./client.ts";
import { type SignedMessage, testBucket, type TestClientOptions } from "./fixtures/test-client.ts";
import { listUploads } from "./listing.ts";
import { S3Store } from "./store.ts";

const MINUTE = 60_000;

/** The SDK says it with the code of the answer as the name of the error. */
async function refuses(answer: Promise<unknown>, code: string, status: number): Promise<void> {
  await assert.rejects(answer, (error) => {
    assert.ok(error instanceof Error && "$metadata" in error, String(error));
    const { httpStatusCode } = error.$metadata as { httpStatusCode?: number };
    assert.deepEqual([error.name, httpStatusCode], [code, status], error.message);
    return true;
  });
}

test("a signature is good for what was signed, and for nothing else", async (t) => {
  const { bucket, client } = await testBucket(t);
  const put = (options: TestClientOptions): Promise<unknown> => {
    const Metadata = { one: "1" };
    return client(options).send(new PutObjectCommand({ Bucket: bucket, Key, Body: "bytes", Metadata }));
  };
  await put({});
  const mismatch = ["SignatureDoesNotMatch", 403] as const;
  const changes: readonly (readonly [tamper: (message: SignedMessage) => void, code: string, status: number])[] = [
    [(message) => void (message.path += "2"), ...mismatch],
    [(message) => void (message.method = "DELETE"), ...mismatch],
    [({ query }) => void (query["x-id"] = "GetObject"), ...mismatch],
    [({ headers }) => void (headers["x-amz-meta-one"] = "2"), ...mismatch],
    [({ headers }) => void delete headers["x-amz-meta-one"], ...mismatch],
    [({ headers }) => void (headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"), ...mismatch],
    [({ headers }) => void (headers["x-amz-date"] = "yesterday"), "AuthorizationHeaderMalformed", 400],
    [({ headers }) => void (headers["x-amz-meta-two"] = "2"), "AccessDenied", 403],
    [({ headers }) => void delete headers["authorization"], "AccessDenied", 403],
    [(message) => void (message.body = "other"), "XAmzContentSHA256Mismatch", 400],
  ];
  for (const [tamper, code, status] of changes) await refuses(put({ tamper }), code, status);
});

test("only those whom the server knows, at its place and time, are let in", async (t) => {
  const { server, bucket, client } = await testBucket(t);
  const [accessKeyId = "", secretAccessKey = ""] = [
    server.env["AWS_ACCESS_KEY_ID"],
    server.env["AWS_SECRET_ACCESS_KEY"],
  ];
  const list = (options: TestClientOptions): Promise<unknown> =>
    client(options).send(new ListObjectsV2Command({ Bucket: bucket }));
  await refuses(list({ credentials: { accessKeyId, secretAccessKey: "another" } }), "SignatureDoesNotMatch", 403);
  await refuses(list({ credentials: { accessKeyId: "nobody", secretAccessKey } }), "InvalidAccessKeyId", 403);
  await refuses(list({ credentials: { accessKeyId, secretAccessKey, sessionToken: "t" } }), "InvalidToken", 400);
  await refuses(list({ region: "eu-west-1" }), "AuthorizationHeaderMalformed", 400);
  for (const sign of [1, -1]) {
    await list({ systemClockOffset: sign * 14 * MINUTE });
    await refuses(list({ systemClockOffset: sign * 16 * MINUTE }), "RequestTimeTooSkewed", 403);
  }
  const absent = client().send(new ListObjectsV2Command({ Bucket: "not-there" }));
  await refuses(absent, "NoSuchBucket", 404);
});

test("a presigned request is good for its time", async (t) => {
  const { bucket, client } = await testBucket(t);
  await client().send(new PutObjectCommand({ Bucket: bucket, Key, Body: "bytes" }));
  const urlAt = (time: number, expiresIn = 60): Promise<string> =>
    getSignedUrl(client(), new GetObjectCommand({ Bucket: bucket, Key }), { expiresIn, signingDate: new Date(time) });
  const answer = async (url: string, headers = {}): Promise<string> => {
    const response = await fetch(url, { headers });
    const words = /<Code>(\w+)<\/Code><Message>([^<]*)/.exec(await response.text()) ?? [];
    return [response.status, ...words.slice(1)].join(" ");
  };
  assert.equal(await answer(await urlAt(Date.now())), "200");
  assert.equal(await answer(await urlAt(Date.now() - 50_000)), "200");
  assert.equal(await answer(await urlAt(Date.now() - 61_000)), "403 AccessDenied Request has expired");
  assert.equal(await answer(await urlAt(Date.now() + 16 * MINUTE)), "403 AccessDenied Request is not valid yet");
  const url = await urlAt(Date.now() - 61_000);
  assert.match(await answer(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")), /^403 SignatureDoesNotMatch/);
  assert.match(await answer(url.replace("X-Amz-Expires=60", "X-Amz-Expires=604801")), /^400 AuthorizationQueryPar/);
  assert.match(await answer(url, { Authorization: "AWS4-HMAC-SHA256" }), /^400 InvalidArgument/);
});

test("bytes with another digest than was announced are not stored", async (t) => {
  const { bucket, client } = await testBucket(t);
  const put = (more: { ContentMD5?: string; ChecksumSHA256?: string }): Promise<unknown> =>
    client().send(new PutObjectCommand({ Bucket: bucket, Key, Body: "bytes", ...more }));
  const digest = (algorithm: string, of: string): string => createHash(algorithm).update(of).digest("base64");
  await refuses(put({ ContentMD5: digest("md5", "other") }), "BadDigest", 400);
  await refuses(put({ ChecksumSHA256: digest("sha256", "other") }), "BadDigest", 400);
  await refuses(put({ ContentMD5: "nonsense" }), "InvalidDigest", 400);
  await refuses(client().send(new GetObjectCommand({ Bucket: bucket, Key })), "NoSuchKey", 404);
  await put({ ContentMD5: digest("md5", "bytes"), ChecksumSHA256: digest("sha256", "bytes") });
});

test("conditions fail as they do on S3", async (t) => {
  const { bucket, client } = await testBucket(t);
  const at = { Bucket: bucket, Key };
  const put = (more: object): Promise<unknown> => client().send(new PutObjectCommand({ ...at, Body: "b", ...more }));
  const remove = (IfMatch: string): Promise<unknown> => client().send(new DeleteObjectCommand({ ...at, IfMatch }));
  for (const IfMatch of ["*", '"other"']) {
    await refuses(put({ IfMatch }), "NoSuchKey", 404);
    await refuses(remove(IfMatch), "NoSuchKey", 404);
  }
  await put({ IfNoneMatch: "*" });
  await refuses(put({ IfNoneMatch: "*" }), "PreconditionFailed", 412);
  await refuses(put({ IfNoneMatch: '"other"' }), "NotImplemented", 501);
  await refuses(put({ IfMatch: '"other"' }), "PreconditionFailed", 412);
  await refuses(remove('"other"'), "PreconditionFailed", 412);
  const CopySource = `${bucket}/${Key}`;
  const copy = { Bucket: bucket, Key: "copy", CopySource, CopySourceIfMatch: '"other"' };
  await refuses(client().send(new CopyObjectCommand(copy)), "PreconditionFailed", 412);
  const itself = new CopyObjectCommand({ ...at, CopySource });
  await refuses(client().send(itself), "InvalidRequest", 400);
  await refuses(client().send(new GetObjectCommand({ ...at, IfMatch: '"other"' })), "PreconditionFailed", 412);
  await refuses(client().send(new GetObjectCommand({ ...at, IfNoneMatch: "*" })), "Unknown", 304);
  await refuses(client().send(new GetObjectCommand({ ...at, Range: "bytes=1-" })), "InvalidRange", 416);
  await remove("*");
});

test("an upload in parts is held to the rules for parts", async (t) => {
  const { bucket, client } = await testBucket(t);
  const at = { Bucket: bucket, Key };
  const send: S3Client = client();
  const { UploadId } = await send.send(new CreateMultipartUploadCommand(at));
  const part = (PartNumber: number, Body: Uint8Array): Promise<{ ETag?: string | undefined }> =>
    send.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
  const [small, other] = [await part(1, bytesOf(1, 10)), await part(2, bytesOf(2, 10))];
  const first = { PartNumber: 1, ETag: small.ETag };
  const second = { PartNumber: 2, ETag: other.ETag };
  const complete = (Parts: object[], id = UploadId): Promise<unknown> =>
    send.send(new CompleteMultipartUploadCommand({ ...at, UploadId: id, MultipartUpload: { Parts } }));
  await refuses(part(0, bytesOf(1, 10)), "InvalidArgument", 400);
  await refuses(part(10_001, bytesOf(1, 10)), "InvalidArgument", 400);
  await refuses(complete([]), "MalformedXML", 400);
  await refuses(complete([second, first]), "InvalidPartOrder", 400);
  await refuses(complete([first, first]), "InvalidPartOrder", 400);
  await refuses(complete([{ ...first, ETag: other.ETag }]), "InvalidPart", 400);
  await refuses(complete([first, { ...second, PartNumber: 3 }]), "InvalidPart", 400);
  await refuses(complete([first, second]), "EntityTooSmall", 400);
  await refuses(complete([first], "another"), "NoSuchUpload", 404);
  await refuses(send.send(new ListPartsCommand({ ...at, Key: "other", UploadId })), "NoSuchUpload", 404);
  await complete([second]);
  await refuses(complete([second]), "NoSuchUpload", 404);
  await refuses(send.send(new AbortMultipartUploadCommand({ ...at, UploadId })), "NoSuchUpload", 404);
  const copy = await send.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: "copy" }));
  const range = (CopySourceRange: string): Promise<unknown> => {
    const input = {
      Bucket: bucket,
      Key: "copy",
      UploadId: copy.UploadId,
      PartNumber: 1,
      CopySource: `${bucket}/${Key}`,
    };
    return send.send(new UploadPartCopyCommand({ ...input, CopySourceRange }));
  };
  await refuses(range("bytes=0-4"), "InvalidRequest", 400);
  await send.send(new PutObjectCommand({ ...at, Body: bytesOf(1, 5 * MiB + 1) }));
  await range("bytes=0-4");
  await refuses(range(`bytes=0-${5 * MiB + 1}`), "InvalidArgument", 400);
});

test("what the server does not know, it refuses", async (t) => {
  const { bucket, client } = await testBucket(t);
  const at = { Bucket: bucket, Key };
  await refuses(client().send(new GetObjectAclCommand(at)), "NotImplemented", 501);
  await refuses(client().send(new PutObjectCommand({ ...at, Body: "b", ACL: "private" })), "NotImplemented", 501);
  await refuses(client().send(new ListObjectsV2Command({ Bucket: bucket, Delimiter: "/" })), "NotImplemented", 501);
  const stream = new PutObjectCommand({ ...at, Body: Readable.from(["b"]), ContentLength: 1 });
  await refuses(client({ requestChecksumCalculation: "WHEN_SUPPORTED" }).send(stream), "NotImplemented", 501);
  const long = new PutObjectCommand({ ...at, Key: "é".repeat(513), Body: "b" });
  await refuses(client().send(long), "KeyTooLongError", 400);
});

test("listings come in pages, and names in whatever way they are asked for", async (t) => {
  const { server, bucket, client } = await testBucket(t, { pageSize: 2 });
  Object.assign(process.env, server.env);
  const connection = await connectS3({ kind: "s3", bucket });
  const store = new S3Store(connection);
  t.after(() => store.close());
  const names = ["a&b<c>'\"", "a b+c%20", "é/\u{1F600}", "é/\uFFFD", "z"].map((name) => parseKey(name));
  for (const name of names) await putBytes(store, name, bytesOf(1, 1));
  const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await listKeys(store), sorted);
  assert.deepEqual(await listKeys(store, "é/"), sorted.slice(-2));
  assert.deepEqual(await listKeys(store, "", sorted[1]), sorted.slice(2));
  const begun = [...names, ...names].sort();
  for (const name of begun) await store.multipart.create(name);
  const uploads = await collect(listUploads(new Bucket(connection)));
  assert.deepEqual(
    uploads.map(({ name }) => name),
    begun.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  assert.equal(new Set(uploads.map(({ id }) => id)).size, begun.length);
  const upload = await store.multipart.create(Key);
  for (const number of [5, 1, 4, 2, 3]) {
    await store.multipart.putPart(Key, upload, number, Readable.from([bytesOf(1, 1)]), { size: 1 });
  }
  const parts = await collect(store.multipart.parts(Key, upload));
  assert.deepEqual(
    parts.map(({ number }) => number),
    [1, 2, 3, 4, 5],
  );
  const page = async (o: { Prefix?: string; MaxKeys?: number }): Promise<unknown> => {
    const answer = await client().send(new ListObjectsV2Command({ Bucket: bucket, ...o }));
    return [answer.Contents?.map((object) => object.Key), answer.IsTruncated];
  };
  assert.deepEqual(await page({ Prefix: "a" }), [sorted.slice(0, 2), false]);
  assert.deepEqual(await page({ MaxKeys: 1 }), [sorted.slice(0, 1), true]);
  assert.deepEqual(await page({ MaxKeys: 3 }), [sorted.slice(0, 2), true]);
});

test("a user may do what a policy allows, and learns of nothing else", async (t) => {
  const { server, bucket, client } = await testBucket(t);
  const statement = (Action: string, Resource: string, Condition?: object): object => ({
    Effect: "Allow",
    Action,
    Resource: `arn:aws:s3:::${bucket}${Resource}`,
    ...(Condition === undefined ? {} : { Condition }),
  });
  const Version = "2012-10-17";
  const listing = statement("s3:ListBucket", "", { StringLike: { "s3:prefix": "in/*" } });
  const policy = {
    Version,
    Statement: [
      statement("s3:Get*", "/in/*"),
      statement("s3:GetObject", "/out/?.a"),
      statement("s3:PutObject", "/new/*"),
      listing,
    ],
  };
  const all = client();
  for (const name of ["in/one", "out/1.a", "out/12.a", "out/1.b", "out/1ba"]) {
    await all.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: "b" }));
  }
  const some = client({ env: server.addUser(policy) });
  const get = (name: string): Promise<unknown> => some.send(new GetObjectCommand({ Bucket: bucket, Key: name }));
  for (const name of ["in/one", "out/1.a"]) await get(name);
  for (const name of ["out/12.a", "out/1.b", "out/1ba"]) await refuses(get(name), "AccessDenied", 403);
  await refuses(get("in/absent"), "NoSuchKey", 404);
  await refuses(get("out/2.a"), "AccessDenied", 403);
  const put = (name: string, more = {}): Promise<unknown> =>
    some.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: "b", ...more }));
  await put("new/one");
  await refuses(put("in/one"), "AccessDenied", 403);
  // It would tell which etag the object has.
  await refuses(put("new/one", { IfMatch: '"a"' }), "AccessDenied", 403);
  const copy = (from: string): Promise<unknown> =>
    some.send(new CopyObjectCommand({ Bucket: bucket, Key: "new/copy", CopySource: `${bucket}/${from}` }));
  await copy("in/one");
  await refuses(copy("out/1.b"), "AccessDenied", 403);
  await refuses(copy("in/absent"), "NoSuchKey", 404);
  await refuses(copy("out/2.a"), "AccessDenied", 403);
  const list = (Prefix?: string): Promise<unknown> => some.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }));
  await list("in/");
  await refuses(list("i"), "AccessDenied", 403);
  await refuses(list(), "AccessDenied", 403);
  const refused = [
    [{ Effect: "Deny" }, /the effect "Deny"/],
    [{ NotAction: "s3:*" }, /NotAction, which is unknown here/],
    [{ Condition: { StringLike: { "s3:prefix": "*", "s3:delimiter": "/" } } }, /s3:delimiter, which is unknown here/],
  ] as const;
  for (const [more, message] of refused) {
    assert.throws(() => server.addUser({ Version, Statement: { ...listing, ...more } }), message);
  }
});
