import assert from "node:assert/strict";
import { createHash, createVerify, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { sharedGcsServer } from "../../../../test/support/gcs-server.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { being, bytesOf, key, withCode } from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import type { SignedRequest } from "../port.ts";
import { makeGcsClient } from "./client.ts";
import type { GcsLocation } from "./options.ts";
import { GcsStore } from "./store.ts";

const gcsServer = sharedGcsServer();
const EMAIL = "signer@project.iam.gserviceaccount.com";
const odd = parseKey("some folder/a+b & c=d é%41!'()*");

/** The key of a service account in a file that the environment names, as for any client of Google's. */
async function withKeyFile(t: TestContext): Promise<KeyObject> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const file = join(await temporaryFolder(t, "gcs-key"), "key.json");
  const account = {
    type: "service_account",
    project_id: "project",
    client_email: EMAIL,
    client_id: "1",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
  await writeFile(file, JSON.stringify(account));
  const before = process.env["GOOGLE_APPLICATION_CREDENTIALS"];
  process.env["GOOGLE_APPLICATION_CREDENTIALS"] = file;
  t.after(() => {
    if (before === undefined) delete process.env["GOOGLE_APPLICATION_CREDENTIALS"];
    else process.env["GOOGLE_APPLICATION_CREDENTIALS"] = before;
  });
  return publicKey;
}

function storeAt(location: Partial<GcsLocation> = {}): GcsStore {
  return new GcsStore(makeGcsClient({ kind: "gs", bucket: "bucket", ...location }, {}), { prefix: location.prefix });
}

/**
 * Whether Cloud Storage would take the signature, computed anew from the request as it would arrive.
 * https://cloud.google.com/storage/docs/authentication/canonical-requests
 */
function isSigned({ method, url, headers }: SignedRequest, publicKey: KeyObject): boolean {
  const { hostname, pathname, searchParams } = new URL(url);
  const signature = Buffer.from(searchParams.get("X-Goog-Signature") ?? "", "hex");
  searchParams.delete("X-Goog-Signature");
  const encode = (text: string): string =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const sent = { ...headers, host: hostname };
  const lines = Object.entries(sent)
    .map(([name, value]) => `${name.toLowerCase()}:${value.trim()}\n`)
    .sort();
  const names = Object.keys(sent)
    .map((name) => name.toLowerCase())
    .sort();
  const canonical = [method, pathname, query.join("&"), lines.join(""), names.join(";"), "UNSIGNED-PAYLOAD"].join("\n");
  const date = searchParams.get("X-Goog-Date") ?? "";
  const scope = `${date.slice(0, 8)}/auto/storage/goog4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = ["GOOG4-RSA-SHA256", date, scope, digest].join("\n");
  const isScoped = searchParams.get("X-Goog-Credential") === `${EMAIL}/${scope}`;
  return isScoped && createVerify("RSA-SHA256").update(text).verify(publicKey, signature);
}

test("what is signed with the key of a service account is what Cloud Storage checks", async (t) => {
  const publicKey = await withKeyFile(t);
  const store = storeAt({ prefix: "some/prefix", project: "payer" });
  for (const at of [key, odd]) {
    for (const o of [
      { method: "GET", expiresIn: 60 },
      { method: "GET", expiresIn: 604_800, disposition: "attachment; filename*=UTF-8''a%20b" },
      { method: "PUT", expiresIn: 1, size: 0 },
      { method: "PUT", expiresIn: 60, size: 5 * 1024 ** 4 },
    ] as const) {
      const before = Math.floor(Date.now() / 1000) * 1000;
      const request = await store.presign(at, o);
      const url = new URL(request.url);
      assert.ok(isSigned(request, publicKey), request.url);
      assert.equal(url.origin, "https://storage.googleapis.com");
      assert.equal(decodeURIComponent(url.pathname), `/bucket/some/prefix/${at}`);
      assert.equal(url.searchParams.get("userProject"), "payer");
      assert.equal(url.searchParams.get("X-Goog-Expires"), String(o.expiresIn));
      assert.ok(request.expiresAt.getTime() - before - o.expiresIn * 1000 <= 1000);
      for (const other of [
        { ...request, method: o.method === "GET" ? "PUT" : "GET" } as const,
        { ...request, url: request.url.replace(/objects\/one|some%20folder/, "other") },
        { ...request, url: request.url.replace(/X-Goog-Expires=\d+/, "X-Goog-Expires=99") },
        { ...request, headers: { ...request.headers, "x-goog-content-length-range": "0,99" } },
      ]) {
        assert.ok(!isSigned(other, publicKey), JSON.stringify(other));
      }
    }
  }
  await store.close();
});

test("a PUT is pinned to its length and type, and a GET may name the download", async (t) => {
  await withKeyFile(t);
  const store = storeAt({ storageClass: "ARCHIVE" });
  const put = await store.presign(key, { method: "PUT", size: 1234, expiresIn: 60 });
  assert.deepEqual(put.headers, {
    "Content-Type": "application/octet-stream",
    "x-goog-content-length-range": "1234,1234",
    "x-goog-storage-class": "ARCHIVE",
  });
  const disposition = 'attachment; filename="a b"';
  const get = await store.presign(key, { method: "GET", expiresIn: 60, disposition });
  assert.deepEqual(get.headers, {});
  assert.equal(new URL(get.url).searchParams.get("response-content-disposition"), disposition);
  await store.close();
});

test("a presigned PUT takes no other length", async (t) => {
  const server = await gcsServer(t);
  if (server === undefined) return;
  const store = storeAt({ bucket: await server.createBucket(), endpoint: server.endpoint });
  const { url, method, headers } = await store.presign(key, { method: "PUT", size: 1000, expiresIn: 60 });
  for (const [size, status] of [
    [999, 400],
    [1001, 400],
    [1000, 200],
  ] as const) {
    const response = await fetch(url, { method, headers, body: new Uint8Array(bytesOf(1, size)) });
    await response.arrayBuffer();
    assert.equal(response.status, status);
  }
  await store.close();
});

test("URLs lead to the public endpoint, and are signed for it", async (t) => {
  const publicKey = await withKeyFile(t);
  const store = storeAt({ endpoint: "https://10.0.0.1", publicEndpoint: "https://files.example.org:8443" });
  const upload = "01234567-89ab-4cde-8f01-23456789abcd";
  for (const request of [
    await store.presign(key, { method: "GET", expiresIn: 60 }),
    await store.multipart.presignPart(key, upload, 7, { size: 10, expiresIn: 60 }),
  ]) {
    assert.equal(new URL(request.url).origin, "https://files.example.org:8443");
    assert.ok(isSigned(request, publicKey));
  }
  await store.close();
});

test("what Cloud Storage cannot check is not signed", async (t) => {
  await withKeyFile(t);
  const store = storeAt();
  const sha256 = "0".repeat(64);
  const put = { method: "PUT", size: 10, expiresIn: 60 } as const;
  await assert.rejects(store.presign(key, { ...put, sha256 }), withCode("unsupported"));
  for (const size of [-1, 1.5, Number.NaN, 5 * 1024 ** 4 + 1]) {
    await assert.rejects(store.presign(key, { ...put, size }), withCode("invalid"));
  }
  await store.close();
});

test("without a key of one's own, IAM signs in the name of the signer", async (t) => {
  const client = makeGcsClient({ kind: "gs", bucket: "bucket", signer: EMAIL }, {});
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const iam = t.mock.method(client.signing.authClient, "request", async (o: IamRequest) => ({
    data: { signedBlob: sign("RSA-SHA256", Buffer.from(o.data.payload, "base64"), privateKey).toString("base64") },
  }));
  const store = new GcsStore(client);
  const request = await store.presign(odd, { method: "GET", expiresIn: 60 });
  assert.ok(isSigned(request, publicKey));
  const [asked] = iam.mock.calls.map(({ arguments: [o] }) => [o.method, o.url]);
  const account = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${EMAIL}`;
  assert.deepEqual(asked, ["POST", `${account}:signBlob`]);

  iam.mock.mockImplementation(async () => {
    throw new Error("Permission 'iam.serviceAccounts.signBlob' denied on resource (or it may not exist).");
  });
  await assert.rejects(store.presign(key, { method: "GET", expiresIn: 60 }), (error) => {
    assert.ok(error instanceof StorageError);
    assert.equal(error.code, "denied");
    assert.match(
      error.message,
      /^signing a URL for objects\/one in gs:\/\/bucket failed: Permission .*; give .* Token Creator/,
    );
    return true;
  });

  iam.mock.mockImplementation(() => new Promise<never>(() => undefined));
  const controller = new AbortController();
  const reason = new Error("the caller's reason");
  const waiting = store.presign(key, { method: "GET", expiresIn: 60, signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(waiting, being(reason));
  await store.close();
});

interface IamRequest {
  readonly method: string;
  readonly url: string;
  readonly data: { readonly payload: string };
}
