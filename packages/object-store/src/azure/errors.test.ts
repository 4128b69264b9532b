import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";
import { RestError } from "@azure/storage-blob";
import { freePort } from "../../../../test/support/service-process.ts";
import { serveHttp } from "../../../../test/support/http-server.ts";
import { bytesOf, collect, key, putBytes } from "../contract/contract-test.ts";
import { StorageError, type StorageErrorCode } from "../errors.ts";
import { azureError, MEANING } from "./errors.ts";
import { openStore } from "./fixtures/azurite.ts";
import { refuse } from "./fixtures/line.ts";
import type { AzureStore } from "./store.ts";

const attempt = { doing: "storing a", at: "az://account1/objects", needs: "write" } as const;
const KEY = Buffer.from("the account's key").toString("base64");

/** A store whose service answers every request in this way. */
async function answering(t: TestContext, status: number, code: string, message?: string): Promise<AzureStore> {
  const port = await serveHttp(t, async (request, response) => {
    for await (const _ of request);
    refuse(response, status, code, message);
  });
  return await storeAt(t, port);
}

async function storeAt(t: TestContext, port: number): Promise<AzureStore> {
  const endpoint = `http://127.0.0.1:${port}/account1`;
  const location = { kind: "az", account: "account1", container: "objects", endpoint } as const;
  return await openStore(t, location, { AZURE_STORAGE_KEY: KEY });
}

async function failureOf(call: Promise<unknown>): Promise<StorageError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof StorageError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "it succeeded" });
}

/** Code of Azure, status, ours, what the message says beside them, and whether it may be tried again. */
const TABLE: readonly (readonly [string, number, StorageErrorCode, RegExp, "again"?])[] = [
  ["BlobNotFound", 404, "not-found", /no such object/],
  ["ContainerNotFound", 404, "unavailable", /az:\/\/account1\/objects failed.*no such container: create it/],
  ["ContainerDisabled", 403, "unavailable", /disabled by its administrator/],
  ["ContainerBeingDeleted", 409, "unavailable", /being deleted/],
  ["AccountBeingCreated", 409, "unavailable", /only just being created/, "again"],
  ["AuthenticationFailed", 403, "denied", /not accepted: is the key, the SAS or the token/],
  ["InvalidAuthenticationInfo", 400, "denied", /not accepted/],
  ["NoAuthenticationInformation", 401, "denied", /not accepted/],
  ["AuthorizationFailure", 403, "denied", /firewall.*Storage Blob Data Contributor/],
  [
    "AuthorizationPermissionMismatch",
    403,
    "denied",
    /Storage Blob Data Contributor .*blobs\/read\), or the SAS the permission l$/,
  ],
  ["AuthorizationResourceTypeMismatch", 403, "denied", /resource types c and o/],
  ["AuthorizationServiceMismatch", 403, "denied", /not for the blob service/],
  ["AuthorizationProtocolMismatch", 403, "denied", /https only/],
  ["AuthorizationSourceIPMismatch", 403, "denied", /this machine's address/],
  ["InsufficientAccountPermissions", 403, "denied", /Storage Blob Data Contributor/],
  ["KeyBasedAuthenticationNotPermitted", 403, "denied", /unset AZURE_STORAGE_KEY/],
  ["PublicAccessNotPermitted", 409, "denied", /not accepted/],
  ["AccountIsDisabled", 403, "denied", /look at its subscription/],
  ["AccountRequiresHttps", 400, "denied", /https only/],
  ["BlobImmutableDueToPolicy", 409, "denied", /policy of the container/],
  ["LeaseIdMissing", 412, "denied", /holds a lease/],
  ["SnapshotsPresent", 409, "denied", /delete them first/],
  ["BlobAlreadyExists", 409, "conflict", /exists already/],
  ["ConditionNotMet", 412, "conflict", /read it again/],
  ["TargetConditionNotMet", 412, "conflict", /read it again/],
  ["SourceConditionNotMet", 412, "conflict", /the source .* read it again/],
  ["ServerBusy", 503, "throttled", /limit of what it does at once/, "again"],
  ["OperationTimedOut", 500, "unavailable", /OperationTimedOut, status 500/, "again"],
  ["InternalError", 500, "unavailable", /InternalError, status 500/, "again"],
  ["BlobModifiedWhileReading", 409, "unavailable", /replaced meanwhile/, "again"],
  ["BlobArchived", 409, "unavailable", /move it to Hot, Cool or Cold/],
  ["BlobBeingRehydrated", 409, "unavailable", /on its way out of the archive/, "again"],
  ["InvalidBlobType", 409, "invalid", /no block blob/],
  ["CannotVerifyCopySource", 404, "not-found", /CannotVerifyCopySource/],
  ["CannotVerifyCopySource", 412, "conflict", /read it again/],
  ["CannotVerifyCopySource", 403, "denied", /not accepted/],
  ["InvalidRange", 416, "invalid", /InvalidRange/],
  ["RequestBodyTooLarge", 413, "invalid", /more than one request may carry/],
  ["BlockCountExceedsLimit", 409, "invalid", /at most 50,000/],
  ["InvalidBlockList", 400, "invalid", /part is missing/],
  ["InvalidBlobOrBlock", 400, "invalid", /another program has begun to upload/],
  ["InvalidResourceName", 400, "invalid", /does not allow that name/],
  ["Md5Mismatch", 400, "corrupt", /Md5Mismatch/],
  ["Crc64Mismatch", 400, "corrupt", /Crc64Mismatch/],
  // By their status only.
  ["SomethingNew", 401, "denied", /not accepted/],
  ["SomethingNew", 408, "unavailable", /status 408/, "again"],
  ["SomethingNew", 412, "conflict", /status 412/],
  ["SomethingNew", 413, "invalid", /status 413/],
  ["SomethingNew", 429, "throttled", /too many requests/, "again"],
  ["SomethingNew", 501, "unsupported", /status 501/],
  ["SomethingNew", 502, "unavailable", /status 502/, "again"],
  ["SomethingNew", 400, "invalid", /status 400/],
  ["SomethingNew", 404, "unavailable", /status 404/],
  ["SomethingNew", 409, "unavailable", /status 409/],
];

describe("Azure's answers", { concurrency: true }, () => {
  for (const [azureCode, status, code, about, again] of TABLE) {
    it(`${azureCode} (${status}) is ${code}`, async (t) => {
      const store = await answering(t, status, azureCode);
      const error = await failureOf(collect(store.list("")));
      assert.equal(error.code, code, error.message);
      assert.equal(error.retryable, again === "again", error.message);
      assert.match(error.message, about);
      assert.match(
        error.message,
        new RegExp(`^listing the store in az://account1/objects failed: ${azureCode}, status`),
      );
      assert.match(error.message, /request of-the-test/);
    });
  }

  it("are told from those of others, who have no codes", async (t) => {
    for (const status of [200, 400, 404]) {
      const port = await serveHttp(t, async (_, response) => void response.writeHead(status).end("<html>"));
      const error = await failureOf(collect((await storeAt(t, port)).list("")));
      assert.deepEqual([error.code, error.retryable], ["unavailable", false]);
      assert.match(error.message, new RegExp(`failed: status ${status}; is the endpoint right`));
    }
  });

  it("are all in this table", () => {
    const known = TABLE.map(([azureCode, status]) => `${azureCode} ${status}`);
    for (const name of Object.keys(MEANING))
      assert.ok(
        known.some((entry) => entry.startsWith(name)),
        name,
      );
  });
});

describe("an answer without a body", () => {
  it("tells what is absent from what may not be looked at", async (t) => {
    assert.equal(await (await answering(t, 404, "BlobNotFound")).stat(key), undefined);
    for (const [status, azureCode, code] of [
      [403, "AuthenticationFailed", "denied"],
      [403, "AuthorizationPermissionMismatch", "denied"],
      [404, "ContainerNotFound", "unavailable"],
      [404, "", "unavailable"],
    ] as const) {
      const error = await failureOf((await answering(t, status, azureCode)).stat(key));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, new RegExp(`^looking at ${key} in az://account1/objects failed: ${azureCode}`));
    }
  });
});

describe("what a caller lacks", { concurrency: true }, () => {
  it("is named for what it wanted to do", async (t) => {
    const store = await answering(t, 403, "AuthorizationPermissionMismatch");
    for (const [call, about] of [
      [() => store.stat(key), /blobs\/read\), or the SAS the permission r$/],
      [() => putBytes(store, key, bytesOf(1, 10)), /blobs\/write\), or the SAS the permission w$/],
      [() => store.delete(key), /blobs\/delete\), or the SAS the permission d$/],
      [() => collect(store.list("")), /blobs\/read\), or the SAS the permission l$/],
    ] as const) {
      assert.match((await failureOf(call())).message, about);
    }
  });

  it("is what to set, when there are no credentials at all", () => {
    for (const name of ["CredentialUnavailableError", "AggregateAuthenticationError", "AuthenticationError"]) {
      const error = azureError(Object.assign(new Error("ChainedTokenCredential failed"), { name }), attempt);
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.retryable], ["denied", false]);
      assert.match(error.message, /^storing a in az:\/\/account1\/objects failed: there are no credentials for Azure/);
      assert.match(error.message, /AZURE_STORAGE_CONNECTION_STRING.*AZURE_STORAGE_KEY.*AZURE_CLIENT_ID.*az login/);
    }
  });
});

describe("a service that does not answer", { concurrency: true }, () => {
  it("is unavailable, and certain not to have stored anything when it cannot be reached", async (t) => {
    const store = await storeAt(t, await freePort());
    const error = await failureOf(putBytes(store, key, bytesOf(1, 10)));
    assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", true, false]);
    assert.match(error.message, /^storing objects\/one in az:\/\/account1\/objects failed: connect ECONNREFUSED/);
  });

  it("may have stored something when it hangs up, but has not when nothing was to be stored", async (t) => {
    const store = await storeAt(t, await serveHttp(t, async (request) => void request.socket.destroy()));
    const written = await failureOf(putBytes(store, key, bytesOf(1, 10)));
    assert.deepEqual([written.code, written.retryable, written.uncertain], ["unavailable", true, true]);
    const read = await failureOf(store.stat(key));
    assert.deepEqual([read.code, read.retryable, read.uncertain], ["unavailable", true, false]);
  });

  it("may not exist when its name does not", () => {
    const error = azureError(new RestError("getaddrinfo ENOTFOUND account1", { code: "ENOTFOUND" }), attempt);
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", true, false]);
    assert.match(error.message, /getaddrinfo ENOTFOUND account1; is there such an account/);
  });

  it("cannot be trusted when its certificate cannot", () => {
    const untrusted = new RestError("self-signed certificate", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    const error = azureError(untrusted, attempt);
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", false, false]);
    assert.match(error.message, /the endpoint's certificate is not trusted/);
  });

  it("is not Azure Blob Storage when its answers lack what those of Azure have", async (t) => {
    const port = await serveHttp(t, async (_, response) => void response.writeHead(200).end());
    const error = await failureOf((await storeAt(t, port)).stat(key));
    assert.deepEqual([error.code, error.retryable], ["unavailable", false]);
    assert.match(error.message, /no Content-Length, ETag or Last-Modified; is the endpoint right/);
  });
});

describe("a failure", () => {
  it("shows no secrets, wherever one looks", async (t) => {
    const secret = "c2VjcmV0c2VjcmV0c2VjcmV0";
    const message = [
      `The MAC signature found in the HTTP request '${secret}=' is not the same as any computed signature.`,
      `https://account1.blob.core.windows.net/objects/a?sv=2024-11-04&sig=${secret}%3D&sp=r`,
      `Authorization: SharedKey account1:${secret}=`,
      `Authorization: Bearer ${secret}.${secret}`,
      `AccountName=account1;AccountKey=${secret};`,
    ].join("\n");
    const error = await failureOf(collect((await answering(t, 403, "AuthenticationFailed", message)).list("")));
    const shown = inspect(error, { depth: 10, showHidden: true });
    assert.ok(!shown.includes(secret) && !shown.includes(KEY), shown);
    assert.match(String(error.cause), /The MAC signature found/);
  });

  it("of others stays as it is", () => {
    for (const error of [new StorageError("full", "full"), new TypeError("no"), "text", undefined]) {
      assert.equal(azureError(error, attempt), error);
    }
  });
});
