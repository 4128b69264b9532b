import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { assertBytes, bytesOf, getBytes, key, MiB, putBytes, sha256Of, withCode } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { openStore, storeOn, withAzurite } from "./fixtures/azurite.ts";

const MINUTE = { expiresIn: 60 } as const;

async function statusOf(url: string | URL, o: RequestInit = {}): Promise<number> {
  const response = await fetch(url, o);
  await response.arrayBuffer();
  return response.status;
}

/** What was signed so long ago. */
async function signedBefore<T>(t: TestContext, seconds: number, sign: () => Promise<T>): Promise<T> {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() - seconds * 1000 });
  try {
    return await sign();
  } finally {
    t.mock.timers.reset();
  }
}

await withAzurite("presigned requests in Azure", (server) => {
  describe("a presigned request", () => {
    it("is refused when it has expired", async (t) => {
      const { store } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, 10));
      const upload = await store.multipart.create(key);
      for (const sign of [
        () => store.presign(key, { method: "GET", ...MINUTE }),
        () => store.presign(key, { method: "PUT", size: 10, ...MINUTE }),
        () => store.multipart.presignPart(key, upload, 1, { size: 10, ...MINUTE }),
      ]) {
        const { method, url, headers, expiresAt } = await signedBefore(t, 70, sign);
        assert.ok(expiresAt.getTime() < Date.now());
        const body = method === "PUT" ? { body: "0123456789" } : {};
        assert.equal(await statusOf(url, { method, headers, ...body }), 403);
        const valid = await signedBefore(t, 30, sign);
        assert.ok([200, 201].includes(await statusOf(valid.url, { method, headers, ...body })));
      }
    });

    it("is refused for another object, another method, or with anything in it changed", async (t) => {
      const { store } = await storeOn(t, server);
      const other = parseKey("other");
      await putBytes(store, key, bytesOf(1, 10));
      await putBytes(store, other, bytesOf(2, 10));
      const disposition = "attachment; filename=a";
      const get = new URL((await store.presign(key, { method: "GET", disposition, ...MINUTE })).url);
      const put = new URL((await store.presign(key, { method: "PUT", size: 10, ...MINUTE })).url);
      const changed = (url: URL, change: (url: URL) => unknown): URL => {
        const copy = new URL(url);
        change(copy);
        return copy;
      };
      const body = { method: "PUT", headers: { "x-ms-blob-type": "BlockBlob" }, body: "changed" };
      assert.equal(await statusOf(get), 200);
      assert.equal(await statusOf(changed(get, (url) => url.searchParams.set("rscd", "inline"))), 403);
      assert.equal(await statusOf(changed(get, (url) => url.searchParams.set("se", "2099-01-01T00:00:00Z"))), 403);
      assert.equal(await statusOf(changed(get, (url) => url.searchParams.set("sp", "rw"))), 403);
      assert.equal(
        await statusOf(changed(get, (url) => (url.pathname = url.pathname.replace("objects/one", "other")))),
        403,
      );
      assert.equal(await statusOf(get, body), 403);
      assert.equal(await statusOf(get, { method: "DELETE" }), 403);
      assert.equal(await statusOf(put), 403);
      assert.equal(await statusOf(put, { method: "DELETE" }), 403);
      assert.equal(
        await statusOf(
          changed(put, (url) => (url.pathname = url.pathname.replace("objects/one", "other"))),
          body,
        ),
        403,
      );
      assertBytes(await getBytes(store, key), bytesOf(1, 10));
      assertBytes(await getBytes(store, other), bytesOf(2, 10));
    });

    it("to put says what the bytes are, and in which tier they are to be", async (t) => {
      const { store } = await storeOn(t, server, { location: { accessTier: "Cool" } });
      const { url, headers } = await store.presign(key, { method: "PUT", size: 5, ...MINUTE });
      assert.deepEqual(headers, {
        "x-ms-blob-type": "BlockBlob",
        "Content-Type": "application/octet-stream",
        "x-ms-access-tier": "Cool",
      });
      assert.equal(await statusOf(url, { method: "PUT", headers, body: "{\n}\n " }), 201);
      const get = await fetch((await store.presign(key, { method: "GET", ...MINUTE })).url, { method: "HEAD" });
      assert.equal(get.headers.get("content-type"), "application/octet-stream");
      assert.equal(get.headers.get("x-ms-access-tier"), "Cool");
    });

    it("leads to the public endpoint, and takes nothing but https where that is https", async (t) => {
      const { store, line, location } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, 10));
      const inside = { ...location, endpoint: server.endpoint, publicEndpoint: location.endpoint ?? "" };
      const { url } = await (await openStore(t, inside, server.env)).presign(key, { method: "GET", ...MINUTE });
      assert.ok(url.startsWith(`${line.url}/devstoreaccount1/`), url);
      assert.equal(await statusOf(url), 200);
      assert.equal(new URL(url).searchParams.get("spr"), "https,http");
      const outside = { ...location, publicEndpoint: "https://objects.example/path" };
      const secure = new URL(
        (await (await openStore(t, outside, server.env)).presign(key, { method: "GET", ...MINUTE })).url,
      );
      assert.equal(`${secure.origin}${secure.pathname}`, `https://objects.example/path/${location.container}/${key}`);
      assert.equal(secure.searchParams.get("spr"), "https");
    });

    it("is not made for bytes that Azure would not check", async (t) => {
      const { store } = await storeOn(t, server);
      const sha256 = sha256Of(bytesOf(1, 10));
      await assert.rejects(store.presign(key, { method: "PUT", size: 10, sha256, ...MINUTE }), withCode("unsupported"));
      for (const size of [5000 * MiB + 1, -1, 1.5, Number.NaN]) {
        await assert.rejects(store.presign(key, { method: "PUT", size, ...MINUTE }), withCode("invalid"));
      }
      await store.presign(key, { method: "PUT", size: 5000 * MiB, ...MINUTE });
    });
  });
});
