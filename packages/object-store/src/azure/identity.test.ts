import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it, test, type TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import type { AzureServer, Certificate } from "../../../../test/support/azure-server.ts";
import { skip } from "../../../../test/support/require.ts";
import { TemporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { assertBytes, bodyOf, bytesOf, getBytes, key, MiB, putBytes, withCode } from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import type { SignedRequest } from "../port.ts";
import { AzureClient } from "./client.ts";
import { withAzurite } from "./fixtures/azurite.ts";
import { AzureStore } from "./store.ts";

const DAY_SECONDS = 24 * 3600;

/** A token as Microsoft Entra gives them, but that nobody has signed: Azurite looks at what it says only. */
function token(): { token: string; expiresOnTimestamp: number } {
  const now = Math.floor(Date.now() / 1000);
  const tenant = "ab1f708d-50f6-404c-a006-d71b2ac7a606";
  const claims = {
    aud: "https://storage.azure.com",
    iss: `https://sts.windows.net/${tenant}/`,
    oid: "11059fcc-5514-4800-b5f8-49808b9cfab6",
    tid: tenant,
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3600,
  };
  const encoded = [{ alg: "none" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return { token: `${encoded.join(".")}.`, expiresOnTimestamp: (now + 3600) * 1000 };
}

type GetToken = () => Promise<ReturnType<typeof token>>;

async function clientOf(server: AzureServer, getToken: GetToken = async () => token()): Promise<AzureClient> {
  const { account, endpoint } = server;
  const location = { kind: "az", account, container: await server.createContainer() } as const;
  return new AzureClient(location, { credential: { kind: "identity", identity: { getToken } }, endpoint });
}

async function storeOf(t: TestContext, server: AzureServer, getToken?: GetToken): Promise<AzureStore> {
  const store = new AzureStore(await clientOf(server, getToken));
  t.after(() => store.close());
  return store;
}

/** A certificate that this process trusts from now on; undefined where there is no openssl to make one. */
async function trustedCertificate(folder: string): Promise<Certificate | undefined> {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const what = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"];
  const how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key, "-out", cert];
  try {
    await promisify(execFile)("openssl", ["req", "-x509", ...how, ...what]);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  setDefaultCACertificates([...getCACertificates("default"), await readFile(cert, "utf8")]);
  return { cert, key };
}

async function sent({ url, method, headers }: SignedRequest, body?: string): Promise<Buffer> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  const answer = Buffer.from(await response.arrayBuffer());
  assert.ok(response.ok, `${response.status} ${answer.toString()}`);
  return answer;
}

function declare(server: AzureServer): void {
  describe("an identity", () => {
    it("stores, reads and copies", async (t) => {
      const store = await storeOf(t, server);
      await putBytes(store, key, bytesOf(1, 9 * MiB));
      assertBytes(await getBytes(store, key), bytesOf(1, 9 * MiB));
      await store.copy(key, parseKey("copy"), { ifAbsent: true });
      const upload = await store.multipart.create(key);
      const part = await store.multipart.putPart(key, upload, 1, bodyOf(bytesOf(2, 10)), { size: 10 });
      await store.multipart.complete(key, upload, [part]);
      assertBytes(await getBytes(store, key), bytesOf(2, 10));
    });

    it("lets the service read what it copies with a token, which needs no right to sign", async () => {
      const client = await clientOf(server);
      const { url, options } = await client.source("a b/c", { doing: "copying", needs: "write" });
      assert.equal(new URL(url).search, "");
      const { scheme, value } = options.sourceAuthorization ?? {};
      const response = await fetch(url, {
        headers: { Authorization: `${scheme} ${value}`, "x-ms-version": "2024-11-04" },
      });
      await response.arrayBuffer();
      assert.equal(response.headers.get("x-ms-error-code"), "BlobNotFound");
      client.close();
    });

    it("signs requests with a key that it is lent", async (t) => {
      const store = await storeOf(t, server);
      const put = await store.presign(key, { method: "PUT", size: 10, expiresIn: 60 });
      assert.ok(new URL(put.url).searchParams.has("skoid"), "it is signed with a user delegation key");
      assert.equal(new URL(put.url).searchParams.get("spr"), "https");
      await sent(put, "0123456789");
      const disposition = "attachment; filename=a.bin";
      const get = await store.presign(key, { method: "GET", expiresIn: 60, disposition });
      assert.equal((await sent(get)).toString(), "0123456789");
      const upload = await store.multipart.create(key);
      await sent(await store.multipart.presignPart(key, upload, 1, { size: 4, expiresIn: 60 }), "part");
    });

    it("signs for seven days, or as long as its key is good", async (t) => {
      const store = await storeOf(t, server);
      const before = Date.now();
      const { url, expiresAt } = await store.presign(key, { method: "GET", expiresIn: 7 * DAY_SECONDS });
      const lasts = (expiresAt.getTime() - before) / 1000;
      assert.ok(lasts > 7 * DAY_SECONDS - 1800 && lasts <= 7 * DAY_SECONDS, `${lasts} seconds`);
      assert.equal(Date.parse(new URL(url).searchParams.get("se") ?? ""), expiresAt.getTime());
    });

    it("that has no token is told what to set", async (t) => {
      const store = await storeOf(t, server, async () => {
        throw Object.assign(new Error("no identity here"), { name: "CredentialUnavailableError" });
      });
      for (const call of [
        () => store.stat(key),
        () => putBytes(store, key, bytesOf(1, 10)),
        () => store.presign(key, { method: "GET", expiresIn: 60 }),
      ]) {
        await assert.rejects(call(), (error) => {
          withCode("denied")(error);
          return error instanceof StorageError && /set AZURE_STORAGE_CONNECTION_STRING/.test(error.message);
        });
      }
    });
  });
}

const folder = await TemporaryFolder.create("azure-identity");
after(() => folder[Symbol.asyncDispose]());
const certificate = await trustedCertificate(folder.path);
if (certificate === undefined) test("identities in Azure", (t) => skip(t, "there is no openssl to make a certificate"));
else await withAzurite("identities in Azure", declare, certificate);
