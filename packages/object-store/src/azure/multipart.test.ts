import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  being,
  bodyOf,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  TestBody,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import type { UploadedPart } from "../port.ts";
import { openStore, storeOn, withAzurite } from "./fixtures/azurite.ts";
import { cut, refuse } from "./fixtures/line.ts";
import type { AzureStore } from "./store.ts";

async function putPart(
  { multipart }: AzureStore,
  upload: string,
  number: number,
  bytes: Uint8Array,
): Promise<UploadedPart> {
  return await multipart.putPart(key, upload, number, bodyOf(bytes), { size: bytes.length });
}

await withAzurite("uploads in parts in Azure", (server) => {
  describe("a part too large for memory", () => {
    it("goes out as it comes in", async (t) => {
      const { store, line } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const chunks = Array.from({ length: 12 }, (_, i) => bytesOf(i, MiB));
      const arrived = Promise.withResolvers<void>();
      line.rule = {
        upload: async function* ({ kind }, body) {
          let bytes = 0;
          for await (const chunk of body) {
            yield chunk;
            bytes += chunk.length;
            if (kind === "PUT block" && bytes > 3 * MiB) arrived.resolve();
          }
        },
      };
      const body = new TestBody(
        (function* () {
          yield* chunks.slice(0, 6);
          yield arrived.promise.then(() => new Uint8Array(0));
          yield* chunks.slice(6);
        })(),
      );
      const part = await store.multipart.putPart(key, upload, 1, body, { size: 12 * MiB });
      await store.multipart.complete(key, upload, [part]);
      assertBytes(await getBytes(store, key), Buffer.concat(chunks));
    });

    it("is not there when its body throws after the last byte, or is of another length", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const size = 9 * MiB;
      const error = new RangeError("the body's own");
      const failing = store.multipart.putPart(key, upload, 1, failingBody(bytesOf(1, size), error), { size });
      await assert.rejects(failing, being(error));
      for (const length of [size - 1, size + 1, 2 * size]) {
        const body = bodyOf(bytesOf(1, length));
        await assert.rejects(store.multipart.putPart(key, upload, 1, body, { size }), withCode("invalid"));
        assert.ok(body.over, "the body was returned");
      }
      assert.deepEqual(await collect(store.multipart.parts(key, upload)), []);
    });

    it("ends with the reason of its signal, and its connection with it", async (t) => {
      const { store, line } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const controller = new AbortController();
      const reason = new Error("the caller's reason");
      const closed = Promise.withResolvers<void>();
      line.rule = {
        answer: ({ kind }, { socket }) => {
          if (kind === "PUT block") {
            socket.once("close", () => closed.resolve());
            controller.abort(reason);
          }
          return false;
        },
      };
      const body = new TestBody(
        (function* () {
          yield bytesOf(1, 5 * MiB);
          yield bytesOf(2, MiB);
          yield new Promise<never>(() => undefined);
        })(),
      );
      const o = { size: 9 * MiB, signal: controller.signal };
      await assert.rejects(store.multipart.putPart(key, upload, 1, body, o), being(reason));
      assert.ok(body.over, "the body was returned");
      await closed.promise;
      assert.deepEqual(await collect(store.multipart.parts(key, upload)), []);
    });

    it("fails with what the service has against it, and its body is returned", async (t) => {
      const { store, line } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      line.rule = {
        answer: ({ kind }, _, response) => kind === "PUT block" && refuse(response, 403, "AuthorizationFailure"),
      };
      const body = bodyOf(bytesOf(1, 20 * MiB));
      await assert.rejects(store.multipart.putPart(key, upload, 1, body, { size: 20 * MiB }), withCode("denied"));
      assert.ok(body.over, "the body was returned");
      line.rule = { upload: ({ kind }, body) => (kind === "PUT block" ? cut(body, MiB) : body) };
      const other = bodyOf(bytesOf(1, 20 * MiB));
      await assert.rejects(store.multipart.putPart(key, upload, 1, other, { size: 20 * MiB }), withCode("unavailable"));
      assert.ok(other.over, "the body was returned");
    });
  });

  describe("a part", () => {
    it("that comes again leaves the first to whoever names it", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const first = await putPart(store, upload, 1, bytesOf(1, 100));
      const second = await putPart(store, upload, 1, bytesOf(2, 100));
      assert.deepEqual(await collect(store.multipart.parts(key, upload)), [second]);
      await store.multipart.complete(key, upload, [first]);
      assertBytes(await getBytes(store, key), bytesOf(1, 100));
    });

    it("is refused when it is empty, has no number, or one past the last", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      await assert.rejects(putPart(store, upload, 1, bytesOf(1, 0)), withCode("invalid"));
      for (const number of [0, -1, 1.5, 50_001]) {
        await assert.rejects(putPart(store, upload, number, bytesOf(1, 1)), withCode("invalid"));
        const signed = store.multipart.presignPart(key, upload, number, { size: 1, expiresIn: 60 });
        await assert.rejects(signed, withCode("invalid"));
      }
      await putPart(store, upload, 50_000, bytesOf(1, 1));
    });

    it("that is signed for lets nobody touch the object itself", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const { url } = await store.multipart.presignPart(key, upload, 1, { size: 10, expiresIn: 60 });
      const stolen = new URL(url);
      stolen.pathname = stolen.pathname.replace(/\.holdall\/uploads\/.*$/, key);
      for (const query of [stolen.search, stolen.search.replace(/comp=block&blockid=[^&]*&/, "")]) {
        stolen.search = query;
        const headers = { "x-ms-blob-type": "BlockBlob" };
        const response = await fetch(stolen, { method: "PUT", headers, body: "stolen" });
        await response.arrayBuffer();
        assert.equal(response.status, 403);
      }
      const read = await fetch(url.replace(/comp=block&blockid=[^&]*&/, ""));
      await read.arrayBuffer();
      assert.equal(read.status, 403);
      await assertAbsent(store, key);
    });
  });

  describe("an upload", () => {
    it("is of its own key only, and nothing that has another form", async (t) => {
      const { store } = await storeOn(t, server);
      const { multipart } = store;
      const mine = await multipart.create(key);
      const other = parseKey("other");
      const part = await putPart(store, mine, 1, bytesOf(1, 10));
      for (const [at, upload] of [
        [other, mine],
        [key, "0".repeat(32)],
        [key, ""],
        [key, "../../objects/one"],
      ] as const) {
        const o = { size: 10, expiresIn: 60 };
        await assert.rejects(multipart.putPart(at, upload, 1, bodyOf(bytesOf(1, 10)), o), withCode("not-found"));
        await assert.rejects(collect(multipart.parts(at, upload)), withCode("not-found"));
        await assert.rejects(multipart.complete(at, upload, [part]), withCode("not-found"));
        await multipart.abort(at, upload);
      }
      await multipart.complete(key, mine, [part]);
    });

    it("that was given up takes no part, shows none, and cannot be completed", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const part = await putPart(store, upload, 1, bytesOf(1, 10));
      await store.multipart.abort(key, upload);
      await assert.rejects(putPart(store, upload, 2, bytesOf(2, 10)), withCode("not-found"));
      await assert.rejects(collect(store.multipart.parts(key, upload)), withCode("not-found"));
      await assert.rejects(store.multipart.complete(key, upload, [part]), withCode("not-found"));
    });

    it("is no object", async (t) => {
      const { store, location } = await storeOn(t, server, { location: { prefix: "some/prefix" } });
      await store.multipart.create(key);
      assert.deepEqual(await listKeys(store), []);
      assert.deepEqual(await listKeys(store, ".holdall/"), []);
      const { prefix: _, ...whole } = location;
      const [upload = ""] = await listKeys(await openStore(t, whole, server.env));
      assert.match(upload, /^some\/prefix\/\.holdall\/uploads\//);
      for (const name of [".holdall", ".holdall/uploads/x"]) {
        const own = parseKey(name);
        await assert.rejects(store.stat(own), withCode("invalid"));
        await assert.rejects(store.get(own), withCode("invalid"));
        await assert.rejects(putBytes(store, own, bytesOf(1, 1)), withCode("invalid"));
        await assert.rejects(store.delete(own), withCode("invalid"));
        await assert.rejects(store.copy(key, own), withCode("invalid"));
        await assert.rejects(store.presign(own, { method: "GET", expiresIn: 60 }), withCode("invalid"));
        await assert.rejects(store.multipart.create(own), withCode("invalid"));
      }
      await putBytes(store, parseKey(".holdall-else"), bytesOf(1, 1));
      assert.deepEqual(await listKeys(store), [".holdall-else"]);
    });

    it("gives its object the content type that it was begun with", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key, { contentType: "text/x-test" });
      await store.multipart.complete(key, upload, [await putPart(store, upload, 1, bytesOf(1, 10))]);
      const response = await fetch((await store.presign(key, { method: "GET", expiresIn: 60 })).url);
      await response.arrayBuffer();
      assert.equal(response.headers.get("content-type"), "text/x-test");
    });

    it("of no parts makes an object of no bytes", async (t) => {
      const { store } = await storeOn(t, server);
      const version = await store.multipart.complete(key, await store.multipart.create(key), []);
      assert.equal(version.size, 0);
      assertSameStat(await store.stat(key), version);
    });

    it("is not completed with parts out of order, or of another size", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const [first, second] = [
        await putPart(store, upload, 1, bytesOf(1, 10)),
        await putPart(store, upload, 2, bytesOf(2, 10)),
      ];
      for (const parts of [[second, first], [first, first], [{ ...first, size: 11 }], [{ ...first, number: 3 }]]) {
        await assert.rejects(store.multipart.complete(key, upload, parts), withCode("invalid"));
      }
      await store.multipart.complete(key, upload, [second]);
      assertBytes(await getBytes(store, key), bytesOf(2, 10));
    });
  });
});
