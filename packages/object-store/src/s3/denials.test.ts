import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { serveHttp } from "../../../../test/support/http-server.ts";
import type { S3Service } from "../../../../test/support/cloud-stores.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { bytesOf, collect, getBytes, key, MiB, putBytes } from "../contract/contract-test.ts";
import { StorageError, type StorageErrorCode } from "../errors.ts";
import { parseKey } from "../key.ts";
import type { ObjectStore } from "../port.ts";
import { lineTo, withS3 } from "./fixtures/line.ts";
import { openS3 } from "./open.ts";
import type { S3Location } from "./options.ts";

/** Every kind of call. */
const CALLS: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  stat: (store) => store.stat(key),
  get: (store) => getBytes(store, key),
  put: (store) => putBytes(store, key, bytesOf(1, 10)),
  create: (store) => putBytes(store, key, bytesOf(1, 10), { ifAbsent: true }),
  putParts: (store) => putBytes(store, key, bytesOf(1, 8 * MiB + 1)),
  delete: (store) => store.delete(key),
  copy: (store) => store.copy(key, parseKey("copy")),
  list: (store) => collect(store.list("")),
  sweep: (store) => store.sweep(),
};

async function assertEach(
  store: ObjectStore,
  code: StorageErrorCode,
  message: RegExp,
  secrets: readonly string[] = [],
): Promise<void> {
  for (const [name, call] of Object.entries(CALLS)) {
    await assert.rejects(call(store), (error) => {
      assert.ok(error instanceof StorageError, String(error));
      const about = `${name}: ${error.message}`;
      assert.deepEqual([error.code, error.retryable, error.uncertain], [code, false, false], about);
      assert.match(error.message, message);
      // Also what an error carries along is printed.
      const printed = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)} ${JSON.stringify(error.cause)}`;
      for (const secret of [...secrets, "AWS4-HMAC-SHA256", "Signature="]) {
        assert.ok(!printed.includes(secret), `${secret} in ${printed}`);
      }
      return true;
    });
  }
  await store.close();
}

async function open(t: TestContext, server: S3Service, more: Partial<S3Location>): Promise<ObjectStore> {
  const bucket = more.bucket ?? (await server.createBucket());
  const store = await openS3({ kind: "s3", bucket, endpoint: server.endpoint, ...more });
  t.after(() => store.close());
  return store;
}

/** Sets variables of the environment for the time of a test. */
function setEnvironment(t: TestContext, variables: Readonly<Record<string, string | undefined>>): void {
  const before = { ...process.env };
  t.after(() => {
    for (const name of Object.keys(variables)) set(name, before[name]);
  });
  for (const [name, value] of Object.entries(variables)) set(name, value);
}

function set(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

withS3("wrong credentials are denied, and never an object that is absent", async (t, server) => {
  const file = join(await temporaryFolder(t, "aws"), "credentials");
  const id = server.env["AWS_ACCESS_KEY_ID"] ?? "";
  const section = (name: string, key: string, secret: string, token = ""): string =>
    `[${name}]\naws_access_key_id = ${key}\naws_secret_access_key = ${secret}\n${token}\n`;
  const [secret, unknown] = ["WrongSecretWrongSecret", "UNKNOWNKEYUNKNOWNKEY"];
  const sections = [
    section("secret", id, secret),
    section("key", unknown, secret),
    section("token", id, server.env["AWS_SECRET_ACCESS_KEY"] ?? "", "aws_session_token = expired"),
  ];
  await writeFile(file, sections.join("\n"));
  setEnvironment(t, {
    AWS_SHARED_CREDENTIALS_FILE: file,
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
  });
  const secrets = [id, secret, unknown];
  const inBucket = /in the bucket holdall-\S+ failed: /.source;
  const wrong = new RegExp(
    `${inBucket}SignatureDoesNotMatch: .*; the secret key is not that of the access key: check AWS_`,
  );
  await assertEach(await open(t, server, { profile: "secret" }), "denied", wrong, secrets);
  const nobody = new RegExp(
    `${inBucket}(XAdminUserNotFound|InvalidAccessKeyId): .*; the store does not know the access key`,
  );
  await assertEach(await open(t, server, { profile: "key" }), "denied", nobody, secrets);
  const expired = new RegExp(`${inBucket}InvalidToken: .*; the credentials have expired`);
  await assertEach(await open(t, server, { profile: "token" }), "denied", expired, secrets);
});

withS3("missing credentials are denied with what to set", async (t, server) => {
  setEnvironment(t, { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined });
  const store = await open(t, server, {});
  await assert.rejects(store.presign(key, { method: "GET", expiresIn: 60 }), { code: "denied" });
  const message =
    /failed: Could not load credentials from any providers; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/;
  await assertEach(store, "denied", message);
});

withS3("a bucket that is not there is named, and not an object that is absent", async (t, server) => {
  const store = await open(t, server, { bucket: "not-there" });
  const message = /in the bucket not-there failed: NoSuchBucket: .*; create the bucket, or correct its name/;
  await assertEach(store, "unavailable", message);
});

withS3("a wrong region is told with the right one", async (t, server) => {
  const store = await open(t, server, { region: "eu-west-1" });
  const message = /the bucket is in the region us-east-1, not in eu-west-1: write region=us-east-1 into the store URL$/;
  await assertEach(store, "unavailable", message);
  // So answers S3, also to HEAD, which has no body.
  for (const answer of [301, 400]) {
    const headers = { "x-amz-bucket-region": "us-west-2" };
    const code = answer === 301 ? "PermanentRedirect" : "AuthorizationHeaderMalformed";
    const { store } = await lineTo(t, server, { plan: () => ({ answer, code, headers }) });
    await assertEach(store, "unavailable", /the bucket is in the region us-west-2, not in us-east-1: /);
  }
});

withS3("what is not allowed is told with the permission that it takes", async (t, server) => {
  const { store } = await lineTo(t, server, { plan: () => ({ answer: 403, code: "AccessDenied" }) });
  const message =
    /failed: AccessDenied: planted \(request PLANTED\); allow these credentials s3:\w+(?: and s3:\w+)? in the bucket/;
  await assertEach(store, "denied", message);
  // Listing is allowed here, so it is the object that must not be read.
  const other = await lineTo(t, server, {
    plan: ({ operation }) => (operation === "HeadObject" ? { answer: 403 } : undefined),
  });
  await assert.rejects(other.store.stat(key), (error) => {
    assert.ok(error instanceof StorageError && error.code === "denied");
    assert.match(
      error.message,
      /^looking for .* failed: HTTP 403 \(request PLANTED\); allow these credentials s3:GetObject/,
    );
    return true;
  });
});

test("a web server that is no store is told apart from an object that is absent", async (t) => {
  setEnvironment(t, { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "us-east-1" });
  for (const [status, type, body] of [
    [404, "text/html", "<html><body>Not Found</body></html>"],
    [404, "text/plain", "Not Found"],
    [404, "text/plain", ""],
    [302, "text/plain", ""],
    [200, "text/html", "<html><body>It works</body></html>"],
  ] as const) {
    const port = await serveHttp(t, async (request, response) => {
      for await (const _ of request);
      response.writeHead(status, { "Content-Type": type, Location: "/elsewhere" });
      response.end(request.method === "HEAD" ? "" : body);
    });
    const store = await openS3({ kind: "s3", bucket: "some-bucket", endpoint: `http://127.0.0.1:${port}` });
    for (const [name, call] of Object.entries(CALLS)) {
      // The answer to a deletion has nothing to look at.
      if (status === 200 && name === "delete") continue;
      await assert.rejects(call(store), {
        code: "unavailable",
        retryable: false,
        message: /does not speak S3: check the endp/,
      });
    }
    await store.close();
  }
});
