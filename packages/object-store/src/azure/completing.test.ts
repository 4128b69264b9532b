import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  bodyOf,
  bytesOf,
  collect,
  getBytes,
  key,
  KiB,
  listKeys,
  putBytes,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import type { UploadedPart } from "../port.ts";
import { storeOn, withAzurite } from "./fixtures/azurite.ts";
import { blockFromUrl } from "./fixtures/block-from-url.ts";
import { cut, refuse } from "./fixtures/line.ts";
import type { AzureStore } from "./store.ts";

const DAY = 24 * 3_600_000;

async function putPart(
  { multipart }: AzureStore,
  upload: string,
  number: number,
  bytes: Uint8Array,
): Promise<UploadedPart> {
  return await multipart.putPart(key, upload, number, bodyOf(bytes), { size: bytes.length });
}

await withAzurite("ends of uploads in Azure", (server) => {
  describe("completing", () => {
    it("again gives the same object", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const parts = [await putPart(store, upload, 1, bytesOf(1, 10))];
      const version = await store.multipart.complete(key, upload, parts, { ifAbsent: true });
      assertSameStat(await store.multipart.complete(key, upload, parts, { ifAbsent: true }), version);
      await putBytes(store, key, bytesOf(2, 10));
      await assert.rejects(store.multipart.complete(key, upload, parts), withCode("not-found"));
    });

    it("with other parts than somebody else has is not told that it is done", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const first = await putPart(store, upload, 1, bytesOf(1, 10));
      const second = await putPart(store, upload, 1, bytesOf(2, 10));
      await store.multipart.complete(key, upload, [second]);
      await assert.rejects(store.multipart.complete(key, upload, [first]), withCode("not-found"));
      assertBytes(await getBytes(store, key), bytesOf(2, 10));
    });

    it("that failed half-way is done by the next try", async (t) => {
      const { store, line } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const parts = [await putPart(store, upload, 1, bytesOf(1, 10)), await putPart(store, upload, 2, bytesOf(2, 10))];
      line.rule = {
        answer: ({ kind }, _, response) => kind === "PUT copy" && refuse(response, 403, "AuthorizationFailure"),
      };
      await assert.rejects(store.multipart.complete(key, upload, parts), withCode("denied"));
      await assertAbsent(store, key);
      line.rule = {};
      assert.deepEqual(await collect(store.multipart.parts(key, upload)), parts);
      await store.multipart.complete(key, upload, parts);
      assertBytes(await getBytes(store, key), Buffer.concat([bytesOf(1, 10), bytesOf(2, 10)]));
    });

    for (const kind of ["PUT blocklist", "PUT copy", "DELETE"]) {
      it(`survives that the answer to ${kind} is lost`, async (t) => {
        const { store, line } = await storeOn(t, server);
        const upload = await store.multipart.create(key);
        const parts = [await putPart(store, upload, 1, bytesOf(1, 10))];
        let lost = false;
        line.rule = {
          download: (request, body) => {
            if (request.kind !== kind || lost) return body;
            lost = true;
            return cut(body);
          },
        };
        const version = await store.multipart.complete(key, upload, parts, { ifAbsent: true });
        assert.ok(lost);
        assertSameStat(await store.stat(key), version);
        await assert.rejects(collect(store.multipart.parts(key, upload)), withCode("not-found"));
      });
    }

    it("conflicts with what another has put there", async (t) => {
      const { store } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      const parts = [await putPart(store, upload, 1, bytesOf(1, 10))];
      const stat = await putBytes(store, key, bytesOf(2, 20));
      await assert.rejects(store.multipart.complete(key, upload, parts, { ifAbsent: true }), withCode("conflict"));
      assertSameStat(await store.stat(key), stat);
      await store.multipart.complete(key, upload, parts);
      assertBytes(await getBytes(store, key), bytesOf(1, 10));
    });

    it("of what the service does not copy in one request is done in pieces", async (t) => {
      const { store, line } = await storeOn(t, server, { copySizes: { whole: 10 * KiB, piece: 64 * KiB } });
      line.rule = { answer: blockFromUrl(server) };
      const upload = await store.multipart.create(key);
      const contents = [bytesOf(1, 100 * KiB), bytesOf(2, 100 * KiB)];
      const parts = await Promise.all(contents.map((bytes, i) => putPart(store, upload, i + 1, bytes)));
      const version = await store.multipart.complete(key, upload, parts, { ifAbsent: true });
      assertSameStat(await store.stat(key), version);
      assertBytes(await getBytes(store, key), Buffer.concat(contents));
    });
  });

  describe("a sweep", () => {
    it("discards what was begun more than a day ago, with what came of it", async (t) => {
      const { store } = await storeOn(t, server);
      const given = await store.multipart.create(key);
      const signed = await store.multipart.presignPart(key, given, 1, { size: 10, expiresIn: 60 });
      await store.multipart.abort(key, given);
      const late = await fetch(signed.url, { method: "PUT", headers: signed.headers, body: "too late!!" });
      await late.arrayBuffer();
      const begun = await store.multipart.create(key);
      const part = await putPart(store, begun, 1, bytesOf(1, 10));
      await putBytes(store, parseKey("stored"), bytesOf(1, 10));
      assert.equal(await store.sweep(), 0);
      const now = Date.now();
      t.mock.timers.enable({ apis: ["Date"], now: now + DAY - 60_000 });
      assert.equal(await store.sweep(), 0);
      t.mock.timers.setTime(now + DAY + 60_000);
      assert.equal(await store.sweep(), 2);
      assert.equal(await store.sweep(), 0);
      await assert.rejects(store.multipart.complete(key, begun, [part]), withCode("not-found"));
      assert.deepEqual(await listKeys(store), ["stored"]);
    });

    it("discards blocks without an upload, of which Azure does not say how old they are", async (t) => {
      const { store, line } = await storeOn(t, server);
      const upload = await store.multipart.create(key);
      line.rule = {
        download: async function* ({ kind }, body) {
          const text = Buffer.concat(await collect(body)).toString();
          const left = (element: string): string => " ".repeat(element.length);
          yield Buffer.from(kind === "GET list" ? text.replace(/<(Last-Modified|Etag)>[^<]*<\/\1>/g, left) : text);
        },
      };
      assert.equal(await store.sweep(), 1);
      line.rule = {};
      await assert.rejects(collect(store.multipart.parts(key, upload)), withCode("not-found"));
    });

    it("goes on when others sweep at the same time", async (t) => {
      const { store } = await storeOn(t, server);
      for (let i = 0; i < 20; i++) await store.multipart.create(key);
      t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 2 * DAY });
      const counts = await Promise.all([1, 2, 3].map(() => store.sweep()));
      assert.ok(counts.every((count) => count <= 20));
      assert.equal(await store.sweep(), 0);
    });

    it("says what it may not do", async (t) => {
      const { store, line } = await storeOn(t, server);
      line.rule = { answer: (_, __, response) => refuse(response, 403, "AuthorizationPermissionMismatch") };
      await assert.rejects(store.sweep(), (error) => {
        withCode("denied")(error);
        return error instanceof StorageError && error.message.startsWith("discarding unfinished uploads in az://");
      });
    });
  });
});
