import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import {
  assertAbsent,
  assertBytes,
  begin,
  being,
  bytesOf,
  collect,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  readBody,
  TestBody,
  winners,
  withCode,
} from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { storeOn, withAzurite } from "./fixtures/azurite.ts";
import { cut, first, refuse, unavailable } from "./fixtures/line.ts";

await withAzurite("faults on the way to Azure", (server) => {
  describe("a service that is busy twice", { concurrency: true }, () => {
    for (const [kind, work] of [
      ["PUT", (store) => putBytes(store, key, bytesOf(2, 1000))],
      ["PUT block", (store) => putBytes(store, key, bytesOf(2, 9 * MiB))],
      ["PUT blocklist", (store) => putBytes(store, key, bytesOf(2, 9 * MiB))],
      ["PUT", (store) => putBytes(store, parseKey("new"), bytesOf(2, 1000), { ifAbsent: true })],
      ["GET", (store) => getBytes(store, key)],
      ["HEAD", (store) => store.stat(key)],
      ["GET list", (store) => listKeys(store)],
      ["PUT copy", (store) => store.copy(key, parseKey("copy"), { ifAbsent: true })],
      ["DELETE", (store) => store.delete(key)],
    ] as const satisfies readonly (readonly [string, (store: Parameters<typeof getBytes>[0]) => Promise<unknown>])[]) {
      it(`is asked again: ${kind}, ${String(work).slice(11)}`, async (t) => {
        const { store, line } = await storeOn(t, server);
        await putBytes(store, key, bytesOf(1, 1000));
        const busy = first(2, kind);
        line.rule = { answer: (request, _, response) => busy(request) && refuse(response, 503, "ServerBusy") };
        const made = await line.during(() => work(store));
        assert.ok(made.filter((other) => other === kind).length >= 3, made.join(", "));
      });
    }
  });

  describe("a connection that breaks in the middle of a block", () => {
    it("costs only that block another try", async (t) => {
      const { store, line } = await storeOn(t, server);
      const once = first(1, "PUT block");
      line.rule = { upload: (request, body) => (once(request) ? cut(body, 3 * MiB) : body) };
      const bytes = bytesOf(1, 17 * MiB);
      const made = await line.during(() => putBytes(store, key, bytes));
      assert.deepEqual(made.toSorted(), ["PUT block", "PUT block", "PUT block", "PUT block", "PUT blocklist"]);
      assertBytes(await getBytes(store, key), bytes);
    });

    it("each time fails the put, which leaves nothing to be seen", async (t) => {
      const { store, line } = await storeOn(t, server);
      line.rule = { upload: (request, body) => (request.kind === "PUT block" ? cut(body, MiB) : body) };
      await assert.rejects(putBytes(store, key, bytesOf(1, 17 * MiB)), unavailable(/^storing objects\/one/, false));
      await assertAbsent(store, key);
    });
  });

  describe("an answer that breaks off", () => {
    it("goes on where it broke off", async (t) => {
      const { store, line } = await storeOn(t, server);
      const bytes = bytesOf(1, 5 * MiB);
      await putBytes(store, key, bytes);
      const twice = first(2, "GET");
      line.rule = { download: (request, body) => (twice(request) ? cut(body, MiB + 5) : body) };
      assertBytes(await getBytes(store, key), bytes);
      assert.equal(line.seen.filter(({ kind }) => kind === "GET").length, 3);
      const once = first(1, "GET");
      line.rule = { download: (request, body) => (once(request) ? cut(body, 1000) : body) };
      const { body } = await store.get(key, { range: { start: MiB, end: 4 * MiB } });
      assertBytes(await readBody(body), bytes.subarray(MiB, 4 * MiB + 1));
    });

    it("for good is an error and no end", async (t) => {
      const { store, line } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, MiB));
      const once = first(1, "GET");
      line.rule = { download: (request, body) => cut(body, once(request) ? 1000 : 10) };
      const { body } = await store.get(key);
      const read: Uint8Array[] = [];
      await assert.rejects(
        async () => {
          for await (const chunk of body) read.push(chunk);
        },
        unavailable(/^reading objects\/one in az:.* broke off, \d+ bytes before its end/, false),
      );
      const bytes = Buffer.concat(read);
      assert.ok(bytes.length < 2000);
      assertBytes(bytes, bytesOf(1, MiB).subarray(0, bytes.length));
      assert.deepEqual(await collect(body), []);
    });

    it("does not go on with another version", async (t) => {
      const { store, line } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, MiB));
      const once = first(1, "GET");
      line.rule = { download: (request, body) => (once(request) ? cut(body, 1000) : body) };
      const { rest } = await begin(await store.get(key));
      await putBytes(store, key, bytesOf(2, MiB));
      await assert.rejects(rest.next(), unavailable(/broke off, and meanwhile it was replaced or deleted/, false));
    });
  });

  describe("a body that is returned early", () => {
    it("closes its connection instead of having the rest sent", async (t) => {
      const { store, line } = await storeOn(t, server);
      await putBytes(store, key, bytesOf(1, 64 * MiB));
      const closed = Promise.withResolvers<void>();
      line.rule = {
        answer: ({ kind }, _, response) => {
          if (kind === "GET") response.once("close", closed.resolve);
          return false;
        },
      };
      for await (const _ of (await store.get(key)).body) break;
      await closed.promise;
      const sent = line.seen.at(-1)?.downloaded ?? 0;
      assert.ok(sent < 32 * MiB, `${sent} bytes were sent`);
    });
  });

  describe("a service that does not answer in time", () => {
    const never = (): Promise<boolean> => new Promise(() => undefined);

    it("is given up, and may have done what it was asked to", async (t) => {
      const { store, line } = await storeOn(t, server, { patience: 1000 });
      line.rule = { answer: never };
      await assert.rejects(store.stat(key), unavailable(/there was no answer within 1 seconds/, false));
      await assert.rejects(putBytes(store, key, bytesOf(1, 10)), unavailable(/there was no answer within/, true));
    });

    it("is not asked for the same thing again", async (t) => {
      const { store, line } = await storeOn(t, server, { patience: 100 });
      t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
      line.rule = {
        answer: () => {
          t.mock.timers.tick(60_000);
          return never();
        },
      };
      const puts = (o: { ifAbsent: boolean }): Promise<string[]> =>
        line.during(() => assert.rejects(putBytes(store, key, bytesOf(1, 10), o), withCode("unavailable")));
      assert.deepEqual(await puts({ ifAbsent: false }), ["PUT"]);
      assert.deepEqual(await puts({ ifAbsent: true }), ["PUT", "HEAD"]);
    });

    it("is found out to have stored what it did not confirm", async (t) => {
      const { store, line } = await storeOn(t, server, { patience: 1000 });
      line.rule = {
        download: async function* ({ kind }, body) {
          if (kind === "PUT") await never();
          yield* body;
        },
      };
      const { etag } = await putBytes(store, key, bytesOf(1, 10), { ifAbsent: true });
      assert.equal((await store.stat(key))?.etag, etag);
    });

    it("is given up in the middle of a body", async (t) => {
      const { store, line } = await storeOn(t, server, { patience: 1000 });
      await putBytes(store, key, bytesOf(1, MiB));
      line.rule = {
        download: async function* (_, body) {
          for await (const chunk of body) {
            yield chunk;
            await never();
          }
        },
      };
      const { body } = await store.get(key);
      await assert.rejects(readBody(body), unavailable(/there was no answer within 1 seconds/, false));
    });
  });

  describe("a large put that is aborted", () => {
    it("leaves nothing to be seen and nothing running", async (t) => {
      const { store, line } = await storeOn(t, server);
      const controller = new AbortController();
      const reason = new Error("the caller's reason");
      const body = new TestBody(
        (function* () {
          for (let i = 0; i < 5; i++) yield bytesOf(i, 8 * MiB);
        })(),
      );
      let open = 0;
      line.rule = {
        answer: async ({ kind }, incoming) => {
          if (kind !== "PUT block") return false;
          open += 1;
          incoming.socket.once("close", () => (open -= 1));
          for await (const _ of incoming);
          if (open === 4) controller.abort(reason);
          return await new Promise(() => undefined);
        },
      };
      const put = store.put(key, body, { size: 40 * MiB, signal: controller.signal });
      await assert.rejects(put, being(reason));
      assert.ok(body.over, "the body was returned");
      await eventually("all connections are closed", () => open === 0);
      line.rule = {};
      await assertAbsent(store, key);
      assert.ok(!line.seen.some(({ kind }) => kind === "PUT blocklist"));
    });
  });

  describe("two large puts of one key at once", () => {
    it("both succeed, although what is published discards the other's blocks", async (t) => {
      const { store } = await storeOn(t, server);
      const bodies = [bytesOf(1, 9 * MiB), bytesOf(2, 10 * MiB), bytesOf(3, 11 * MiB)];
      const puts = await Promise.all(bodies.map((bytes) => putBytes(store, key, bytes)));
      const stat = await store.stat(key);
      const winner = puts.findIndex(({ etag }) => etag === stat?.etag);
      assertBytes(await getBytes(store, key), bodies[winner] ?? Buffer.alloc(0));
      for (const { etag } of puts.filter(({ etag }) => etag !== stat?.etag)) {
        await assert.rejects(putBytes(store, key, bytesOf(4, 10), { ifMatch: etag }), withCode("conflict"));
      }
    });

    it("that create have one winner", async (t) => {
      const { store } = await storeOn(t, server);
      const puts = [9, 10, 11, 12].map((size) => putBytes(store, key, bytesOf(size, size * MiB), { ifAbsent: true }));
      const [winner, ...others] = await winners(puts, "conflict");
      assert.equal(others.length, 0);
      assert.equal((await store.stat(key))?.etag, winner?.etag);
    });
  });
});
