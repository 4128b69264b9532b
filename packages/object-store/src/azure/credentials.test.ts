import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StorageError } from "../errors.ts";
import { findAccess } from "./credentials.ts";
import type { AzureLocation } from "./options.ts";

const location: AzureLocation = { kind: "az", account: "account1", container: "objects" };
const key = Buffer.from("the account's key").toString("base64");
const connection = (account: string): string =>
  `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=${key};EndpointSuffix=core.windows.net`;

/** What was found, in words. */
async function found(env: NodeJS.ProcessEnv, more: Partial<AzureLocation> = {}): Promise<string> {
  const { credential, endpoint } = await findAccess({ ...location, ...more }, env);
  switch (credential.kind) {
    case "key":
      return `key of ${credential.key.accountName} at ${endpoint}`;
    case "sas":
      return `sas ${credential.token} at ${endpoint}`;
    case "identity":
      return `identity at ${endpoint}`;
  }
}

async function refused(env: NodeJS.ProcessEnv, about: RegExp, more: Partial<AzureLocation> = {}): Promise<void> {
  await assert.rejects(found(env, more), (error) => {
    assert.ok(error instanceof StorageError);
    assert.equal(error.code, "denied");
    assert.match(error.message, about);
    assert.ok(!`${error.message} ${String(error.cause)}`.includes(key), "the key is not repeated");
    return true;
  });
}

const HOST = "https://account1.blob.core.windows.net";

describe("credentials for Azure", () => {
  it("are a connection string first", async () => {
    const others = { AZURE_STORAGE_ACCOUNT: "account1", AZURE_STORAGE_KEY: key, AZURE_STORAGE_SAS_TOKEN: "sv=1&sig=2" };
    const env = { ...others, AZURE_STORAGE_CONNECTION_STRING: connection("account1") };
    assert.equal(await found(env), `key of account1 at ${HOST}`);
    const sas = { AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${HOST}/;SharedAccessSignature=sv=1&sig=2` };
    assert.equal(await found(sas), `sas sv=1&sig=2 at ${HOST}`);
  });

  it("are then a key, if it is of the store's account", async () => {
    const env = { AZURE_STORAGE_KEY: key, AZURE_STORAGE_SAS_TOKEN: "?sv=1&sig=2" };
    assert.equal(await found(env), `key of account1 at ${HOST}`);
    assert.equal(await found({ ...env, AZURE_STORAGE_ACCOUNT: "account1" }), `key of account1 at ${HOST}`);
    assert.equal(await found({ ...env, AZURE_STORAGE_ACCOUNT: "another" }), `sas sv=1&sig=2 at ${HOST}`);
  });

  it("are an identity when nothing is set, also to the empty text", async () => {
    const env = { AZURE_STORAGE_CONNECTION_STRING: "", AZURE_STORAGE_KEY: "", AZURE_STORAGE_SAS_TOKEN: "" };
    assert.equal(await found({}), `identity at ${HOST}`);
    assert.equal(await found(env), `identity at ${HOST}`);
  });

  it("go to the endpoint of the store URL, then to that of the connection string", async () => {
    const env = {
      AZURE_STORAGE_CONNECTION_STRING: `${connection("account1")};BlobEndpoint=http://127.0.0.1:1/account1/`,
    };
    assert.equal(await found(env), "key of account1 at http://127.0.0.1:1/account1");
    const endpoint = "https://store.example";
    assert.equal(await found(env, { endpoint }), "key of account1 at https://store.example");
    assert.equal(await found({}, { endpoint }), "identity at https://store.example");
  });

  it("are refused when they contradict the store URL", async () => {
    const env = { AZURE_STORAGE_CONNECTION_STRING: connection("another") };
    await refused(env, /is for the account another, and the store is in the account account1/);
  });

  it("are refused when they are none", async () => {
    for (const text of [
      "nonsense",
      `AccountName=a;AccountKey=${key}`,
      `DefaultEndpointsProtocol=https;AccountKey=${key}`,
    ]) {
      await refused({ AZURE_STORAGE_CONNECTION_STRING: text }, /is not a connection string/);
    }
  });

  it("of an identity go over https only", async () => {
    await refused({}, /http:\/\/127.0.0.1:1 is not https/, { endpoint: "http://127.0.0.1:1" });
  });
});
