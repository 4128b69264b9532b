import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  bytesOf,
  getBytes,
  key,
  KiB,
  MiB,
  putBytes,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { openStore, storeOn, withAzurite } from "./fixtures/azurite.ts";
import { blockFromUrl } from "./fixtures/block-from-url.ts";
import { refuse, type Line, type SeenRequest } from "./fixtures/line.ts";
import type { AzureStore } from "./store.ts";

const target = parseKey("copies/of one");
/** So that copies in pieces need no gigabytes. */
const copySizes = { whole: 10 * KiB, piece: 4 * KiB };
const large = bytesOf(1, 22 * KiB + 5);

await withAzurite("copies in Azure", (server) => {
  const copyPiece = blockFromUrl(server);

  /** @param before runs when a request arrives, before it has any effect */
  async function pieces(
    t: TestContext,
    before: (request: SeenRequest, rival: AzureStore) => Promise<unknown> | void = () => undefined,
  ): Promise<{ store: AzureStore; line: Line; rival: AzureStore }> {
    const { store, line, location } = await storeOn(t, server, { copySizes });
    const rival = await openStore(t, { ...location, endpoint: server.endpoint }, server.env);
    line.rule = {
      answer: async (request, incoming, response) => {
        await before(request, rival);
        return await copyPiece(request, incoming, response);
      },
    };
    return { store, line, rival };
  }

  /** Runs `work` once, at the first request of this kind. */
  function once(kind: string, work: (rival: AzureStore) => Promise<unknown>) {
    let done = false;
    return async (request: SeenRequest, rival: AzureStore): Promise<void> => {
      if (request.kind !== kind || done) return;
      done = true;
      await work(rival);
    };
  }

  describe("a copy in one request", () => {
    it("lets the service read the source by its address, and keeps its headers", async (t) => {
      const { store, line } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, 1000), { contentType: "text/x-test" });
      await store.copy(key, target);
      const source = String(line.seen.at(-1)?.headers["x-ms-copy-source"]);
      const read = await fetch(source);
      assert.equal(read.status, 200);
      assertBytes(Buffer.from(await read.arrayBuffer()), bytesOf(1, 1000));
      assert.equal((await fetch(source, { method: "DELETE" })).status, 403);
      const copied = await fetch((await store.presign(target, { method: "GET", expiresIn: 60 })).url);
      await copied.arrayBuffer();
      assert.equal(copied.headers.get("content-type"), "text/x-test");
    });

    it("copies a source anew that is replaced meanwhile", async (t) => {
      const { store } = await pieces(
        t,
        once("PUT copy", (rival) => putBytes(rival, key, bytesOf(2, 2000))),
      );
      await putBytes(store, key, bytesOf(1, 1000));
      assert.equal((await store.copy(key, target)).size, 2000);
      assertBytes(await getBytes(store, target), bytesOf(2, 2000));
    });

    it("of one version is a conflict when that is replaced meanwhile", async (t) => {
      const { store } = await pieces(
        t,
        once("PUT copy", (rival) => putBytes(rival, key, bytesOf(2, 2000))),
      );
      const { etag } = await putBytes(store, key, bytesOf(1, 1000));
      await assert.rejects(store.copy(key, target, { fromEtag: etag }), withCode("conflict"));
      await assertAbsent(store, target);
    });
  });

  describe("a copy in pieces", () => {
    it("is made by the service, and has the bytes and the headers of its source", async (t) => {
      const { store, line } = await pieces(t);
      await putBytes(store, key, large, { contentType: "text/x-test" });
      const version = await store.copy(key, target);
      assert.equal(version.size, large.length);
      assertSameStat(await store.stat(target), version);
      assertBytes(await getBytes(store, target), large);
      const made = line.seen.map(({ kind }) => kind).filter((kind) => kind.startsWith("PUT"));
      assert.deepEqual(made, ["PUT", ...Array.from({ length: 6 }, () => "PUT block copy"), "PUT blocklist"]);
      assert.ok(line.seen.every(({ uploaded, kind }) => kind !== "PUT block copy" || uploaded === 0));
      const copied = await fetch((await store.presign(target, { method: "GET", expiresIn: 60 })).url);
      await copied.arrayBuffer();
      assert.equal(copied.headers.get("content-type"), "text/x-test");
    });

    it("copies a source anew that is replaced meanwhile", async (t) => {
      const other = bytesOf(2, 30 * KiB);
      const { store } = await pieces(
        t,
        once("PUT block copy", (rival) => putBytes(rival, key, other)),
      );
      await putBytes(store, key, large);
      assert.equal((await store.copy(key, target)).size, other.length);
      assertBytes(await getBytes(store, target), other);
    });

    it("of one version is a conflict when that is replaced meanwhile", async (t) => {
      const { store } = await pieces(
        t,
        once("PUT block copy", (rival) => putBytes(rival, key, bytesOf(2, 30 * KiB))),
      );
      const { etag } = await putBytes(store, key, large);
      await assert.rejects(store.copy(key, target, { fromEtag: etag }), withCode("conflict"));
      await assertAbsent(store, target);
    });

    it("of what is deleted meanwhile is not made", async (t) => {
      const { store } = await pieces(
        t,
        once("PUT block copy", (rival) => rival.delete(key)),
      );
      await putBytes(store, key, large);
      await assert.rejects(store.copy(key, target), withCode("not-found"));
      await assertAbsent(store, target);
    });

    it("gathers its pieces again when something else was published there meanwhile", async (t) => {
      // In Azurite only a list of blocks discards blocks; in Azure everything that is published does.
      const publish = (rival: AzureStore): Promise<unknown> => putBytes(rival, target, bytesOf(3, 9 * MiB));
      const { store, line } = await pieces(t, once("PUT blocklist", publish));
      await putBytes(store, key, large);
      await store.copy(key, target);
      assertBytes(await getBytes(store, target), large);
      assert.equal(line.seen.filter(({ kind }) => kind === "PUT block copy").length, 12);
    });

    it("that is to create is a conflict when something else was published there meanwhile", async (t) => {
      const { store } = await pieces(
        t,
        once("PUT blocklist", (rival) => putBytes(rival, target, bytesOf(3, 10))),
      );
      await putBytes(store, key, large);
      await assert.rejects(store.copy(key, target, { ifAbsent: true }), withCode("conflict"));
      assertBytes(await getBytes(store, target), bytesOf(3, 10));
    });

    it("fails as a whole when one piece does", async (t) => {
      const { store, line } = await pieces(t);
      await putBytes(store, key, large);
      let count = 0;
      line.rule = {
        answer: async (request, incoming, response) => {
          if (request.kind === "PUT block copy" && ++count === 3) {
            return refuse(response, 403, "AuthorizationPermissionMismatch");
          }
          return await copyPiece(request, incoming, response);
        },
      };
      await assert.rejects(store.copy(key, target), withCode("denied"));
      await assertAbsent(store, target);
    });
  });
});
