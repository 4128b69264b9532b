import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  assertAbsent,
  assertBytes,
  bytesOf,
  getBytes,
  key,
  MiB,
  putBytes,
  winners,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { openStore, storeOn, withAzurite } from "./fixtures/azurite.ts";
import { cut, first, refuse, unavailable } from "./fixtures/line.ts";

await withAzurite("lost answers of Azure", (server) => {
  describe("an answer to a conditional put that is lost", { concurrency: true }, () => {
    for (const [title, kind, size] of [
      ["a small object", "PUT", 1000],
      ["a large object", "PUT blocklist", 9 * MiB],
    ] as const) {
      it(`is found out to have been a success: ${title}`, async (t) => {
        const { store, line } = await storeOn(t, server);
        const bytes = bytesOf(1, size);
        const lost = first(1, kind);
        line.rule = { download: (request, body) => (lost(request) ? cut(body) : body) };
        const created = await putBytes(store, key, bytes, { ifAbsent: true });
        assert.equal((await store.stat(key))?.etag, created.etag);
        const lostAgain = first(1, kind);
        line.rule = { download: (request, body) => (lostAgain(request) ? cut(body) : body) };
        const replaced = await putBytes(store, key, bytesOf(2, size), { ifMatch: created.etag });
        assert.equal((await store.stat(key))?.etag, replaced.etag);
        assertBytes(await getBytes(store, key), bytesOf(2, size));
        assert.equal(line.seen.filter((request) => request.kind === kind).length, 2, "each was sent once");
      });

      it(`is found out to have been lost to another: ${title}`, async (t) => {
        const { store, line, location } = await storeOn(t, server);
        const rival = await openStore(t, { ...location, endpoint: server.endpoint }, server.env);
        const lost = first(1, kind);
        line.rule = {
          answer: async (request, incoming) => {
            if (!lost(request)) return false;
            await putBytes(rival, key, bytesOf(9, 10));
            incoming.socket.destroy();
            return true;
          },
        };
        await assert.rejects(putBytes(store, key, bytesOf(1, size), { ifAbsent: true }), withCode("conflict"));
        assertBytes(await getBytes(store, key), bytesOf(9, 10));
        const { etag } = await putBytes(rival, key, bytesOf(3, 10));
        const lostAgain = first(1, kind);
        line.rule = {
          answer: async (request, incoming) => {
            if (!lostAgain(request)) return false;
            await putBytes(rival, key, bytesOf(8, 10));
            incoming.socket.destroy();
            return true;
          },
        };
        await assert.rejects(putBytes(store, key, bytesOf(1, size), { ifMatch: etag }), withCode("conflict"));
        assertBytes(await getBytes(store, key), bytesOf(8, 10));
      });

      it(`is sent again when nothing has come of it: ${title}`, async (t) => {
        const { store, line } = await storeOn(t, server);
        const lost = first(1, kind);
        line.rule = {
          answer: (request, { socket }) => {
            if (!lost(request)) return false;
            socket.destroy();
            return true;
          },
        };
        await putBytes(store, key, bytesOf(1, size), { ifAbsent: true });
        assertBytes(await getBytes(store, key), bytesOf(1, size));
        assert.equal(line.seen.filter((request) => request.kind === kind).length, 2);
      });
    }

    it("is left open when nothing can be found out", async (t) => {
      const { store, line } = await storeOn(t, server);
      line.rule = {
        answer: ({ kind }, _, response) => kind === "HEAD" && refuse(response, 403, "AuthorizationFailure"),
        download: (request, body) => (request.kind === "PUT" ? cut(body) : body),
      };
      const put = putBytes(store, key, bytesOf(1, 1000), { ifAbsent: true });
      await assert.rejects(put, unavailable(/^storing objects\/one may have succeeded or not/, true));
    });

    it("is found out of a copy, too", async (t) => {
      const { store, line } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, 1000));
      const lost = first(1, "PUT copy");
      line.rule = { download: (request, body) => (lost(request) ? cut(body) : body) };
      const copy = await store.copy(key, parseKey("copy"), { ifAbsent: true });
      assert.equal((await store.stat(copy.key))?.etag, copy.etag);
      assert.equal(line.seen.filter(({ kind }) => kind === "PUT copy").length, 1);
    });
  });

  describe("an answer to a conditional deletion that is lost", () => {
    it("leaves open who has deleted it", async (t) => {
      const { store, line } = await storeOn(t, server);
      const { etag } = await putBytes(store, key, bytesOf(1, 1000));
      line.rule = { download: (request, body) => (request.kind === "DELETE" ? cut(body) : body) };
      await assert.rejects(store.delete(key, { ifMatch: etag }), unavailable(/^deleting objects\/one/, true));
      line.rule = {};
      await assertAbsent(store, key);
    });

    it("leaves that open when another deletes it before the next try", async (t) => {
      const { store, line, location } = await storeOn(t, server);
      const rival = await openStore(t, { ...location, endpoint: server.endpoint }, server.env);
      const { etag } = await putBytes(store, key, bytesOf(1, 1000));
      const lost = first(1, "DELETE");
      line.rule = {
        answer: async (request, { socket }) => {
          if (lost(request)) {
            socket.destroy();
            return true;
          }
          if (request.kind === "DELETE") await rival.delete(key);
          return false;
        },
      };
      await assert.rejects(store.delete(key, { ifMatch: etag }), unavailable(/^deleting objects\/one/, true));
    });

    it("leads to another try when nothing was deleted", async (t) => {
      const { store, line } = await storeOn(t, server);
      const { etag } = await putBytes(store, key, bytesOf(1, 1000));
      const lost = first(1, "DELETE");
      line.rule = {
        answer: (request, { socket }) => {
          if (!lost(request)) return false;
          socket.destroy();
          return true;
        },
      };
      await store.delete(key, { ifMatch: etag });
      await assertAbsent(store, key);
    });
  });

  it("of 16 creators over a line that loses every second answer exactly one succeeds", async (t) => {
    const { store, line } = await storeOn(t, server);
    let count = 0;
    line.rule = { download: ({ kind }, body) => (kind === "PUT" && count++ % 2 === 0 ? cut(body) : body) };
    const puts = Array.from({ length: 16 }, (_, i) => putBytes(store, key, bytesOf(i, 100 + i), { ifAbsent: true }));
    const [winner, ...others] = await winners(puts, "conflict");
    assert.equal(others.length, 0);
    assert.ok(winner !== undefined, "one succeeded");
    assertBytes(await getBytes(store, key), bytesOf(winner.size - 100, winner.size));
  });
});
