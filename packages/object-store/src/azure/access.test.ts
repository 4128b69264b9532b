import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import {
  assertAbsent,
  assertBytes,
  bodyOf,
  bytesOf,
  collect,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import { openStore, storeOn, withAzurite } from "./fixtures/azurite.ts";
import type { AzureStore } from "./store.ts";

const MINUTE = { expiresIn: 60 } as const;

await withAzurite("access to Azure", (server) => {
  describe("a store with nothing but a SAS", () => {
    async function withSas(t: TestContext, permissions: string): Promise<AzureStore> {
      const { location } = await storeOn(t, server);
      const sharedKey = new StorageSharedKeyCredential(server.account, server.env["AZURE_STORAGE_KEY"] ?? "");
      const sas = generateBlobSASQueryParameters(
        {
          containerName: location.container,
          permissions: ContainerSASPermissions.parse(permissions),
          expiresOn: new Date(Date.now() + 60_000),
        },
        sharedKey,
      );
      return await openStore(t, location, { AZURE_STORAGE_SAS_TOKEN: `?${sas.toString()}` });
    }

    it("does everything but sign requests, and says so", async (t) => {
      const store = await withSas(t, "racwdl");
      const { presignGet, presignPut, presignPart } = store.capabilities;
      assert.deepEqual([presignGet, presignPut, presignPart], [false, false, false]);
      await assert.rejects(store.presign(key, { method: "GET", ...MINUTE }), withCode("unsupported"));
      const odd = parseKey("some folder/a+b & c=d é%41");
      await putBytes(store, odd, bytesOf(1, 10 * MiB));
      assertBytes(await getBytes(store, odd), bytesOf(1, 10 * MiB));
      await store.copy(odd, key);
      const upload = await store.multipart.create(key);
      const part = await store.multipart.putPart(key, upload, 1, bodyOf(bytesOf(2, 10)), { size: 10 });
      const signed = store.multipart.presignPart(key, upload, 2, { size: 10, ...MINUTE });
      await assert.rejects(signed, withCode("unsupported"));
      await store.multipart.complete(key, upload, [part]);
      assertBytes(await getBytes(store, key), bytesOf(2, 10));
      assert.deepEqual(await listKeys(store), [key, odd]);
      await store.delete(odd);
      await assertAbsent(store, odd);
    });

    it("is denied what the SAS does not allow, and told the letter for it", async (t) => {
      const store = await withSas(t, "r");
      assert.equal(await store.stat(key), undefined);
      for (const [call, letter] of [
        [() => putBytes(store, key, bytesOf(1, 10)), "w"],
        [() => store.delete(key), "d"],
        [() => collect(store.list("")), "l"],
      ] as const) {
        await assert.rejects(call(), (error) => {
          withCode("denied")(error);
          return error instanceof StorageError && error.message.endsWith(`or the SAS the permission ${letter}`);
        });
      }
    });
  });

  describe("credentials that are wrong", () => {
    const wrong = { AZURE_STORAGE_KEY: Buffer.from("another key").toString("base64") };

    it("are denied, and what is there is never absent", async (t) => {
      const { store, location } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, 10));
      const stranger = await openStore(t, location, wrong);
      const upload = await store.multipart.create(key);
      for (const call of [
        () => stranger.stat(key),
        () => stranger.get(key),
        () => stranger.delete(key),
        () => stranger.delete(key, { ifMatch: "any" }),
        () => putBytes(stranger, key, bytesOf(2, 10)),
        () => putBytes(stranger, key, bytesOf(2, 10), { ifAbsent: true }),
        () => putBytes(stranger, key, bytesOf(2, 9 * MiB), { ifAbsent: true }),
        () => collect(stranger.list("")),
        () => stranger.copy(key, parseKey("copy")),
        () => stranger.sweep(),
        () => stranger.multipart.create(key),
        () => collect(stranger.multipart.parts(key, upload)),
        () => stranger.multipart.complete(key, upload, []),
        () => stranger.multipart.abort(key, upload),
      ]) {
        await assert.rejects(call(), withCode("denied"), String(call));
      }
      assertBytes(await getBytes(store, key), bytesOf(1, 10));
      const signed = await stranger.presign(key, { method: "GET", ...MINUTE });
      const response = await fetch(signed.url);
      await response.arrayBuffer();
      assert.equal(response.status, 403);
    });
  });

  describe("a container that is not there", () => {
    it("is named, and nothing in it is absent", async (t) => {
      const { location } = await storeOn(t, server);
      const store = await openStore(t, { ...location, container: "no-such-container" }, server.env);
      for (const call of [
        () => store.stat(key),
        () => store.get(key),
        () => store.delete(key),
        () => store.delete(key, { ifMatch: "any" }),
        () => putBytes(store, key, bytesOf(1, 10)),
        () => putBytes(store, key, bytesOf(1, 9 * MiB)),
        () => putBytes(store, key, bytesOf(1, 10), { ifAbsent: true }),
        () => collect(store.list("")),
        () => store.copy(key, parseKey("copy")),
        () => store.sweep(),
        () => store.multipart.create(key),
        () => collect(store.multipart.parts(key, "0".repeat(32))),
        () => store.multipart.complete(key, "0".repeat(32), []),
      ]) {
        await assert.rejects(call(), (error) => {
          withCode("unavailable")(error);
          assert.ok(error instanceof StorageError);
          assert.equal(error.retryable, false);
          assert.match(
            error.message,
            /az:\/\/devstoreaccount1\/no-such-container failed: ContainerNotFound.*create it/,
          );
          return true;
        });
      }
    });
  });
});
