import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, bytesOf, collect, getBytes, key, MiB, putBytes, withCode } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { eventually } from "../../../../test/support/eventually.ts";
import { storeOn, withAzurite } from "./fixtures/azurite.ts";

await withAzurite("requests for each call", (server) => {
  test("each call makes no more requests than it must", async (t) => {
    const { store, line } = await storeOn(t, server);
    const small = bytesOf(1, 1000);
    const large = bytesOf(2, 20 * MiB);
    const other = parseKey("other");
    for (const [work, requests] of [
      [() => putBytes(store, key, small), ["PUT"]],
      [() => store.stat(key), ["HEAD"]],
      [() => getBytes(store, key), ["GET"]],
      [() => store.get(key, { range: { start: 5, end: 9 } }), ["GET"]],
      [() => collect(store.list("")), ["GET list"]],
      [() => store.copy(key, other), ["HEAD", "PUT copy"]],
      [() => store.delete(other), ["DELETE"]],
      [() => store.delete(other), ["DELETE"]],
      [() => store.presign(key, { method: "GET", expiresIn: 60 }), []],
      [() => putBytes(store, other, large), ["PUT block", "PUT block", "PUT block", "PUT blocklist"]],
      [
        () => putBytes(store, parseKey("third"), large, { ifAbsent: true }),
        ["HEAD", "PUT block", "PUT block", "PUT block", "PUT blocklist"],
      ],
      [() => assert.rejects(putBytes(store, other, large, { ifAbsent: true }), withCode("conflict")), ["HEAD"]],
      [() => assert.rejects(putBytes(store, key, small, { ifAbsent: true }), withCode("conflict")), ["PUT"]],
      [() => assert.rejects(putBytes(store, key, small, { ifMatch: "other" }), withCode("conflict")), ["PUT"]],
      [() => assert.rejects(store.delete(key, { ifMatch: "other" }), withCode("conflict")), ["DELETE"]],
      [() => collect(store.list("no/../key")), []],
      [() => store.sweep(), ["GET list"]],
    ] as const) {
      assert.deepEqual(await line.during(work), requests, String(work));
    }
  });

  test("an upload in parts costs two requests for each part, and six more", async (t) => {
    const { store, line } = await storeOn(t, server);
    const { multipart } = store;
    let upload = "";
    assert.deepEqual(await line.during(async () => (upload = await multipart.create(key))), ["PUT"]);
    const put = (number: number) => multipart.putPart(key, upload, number, bodyOf(bytesOf(number, 100)), { size: 100 });
    assert.deepEqual(await line.during(() => put(1)), ["HEAD", "PUT block"]);
    const parts = [await put(1), await put(2)];
    assert.deepEqual(await line.during(() => collect(multipart.parts(key, upload))), ["GET blocklist"]);
    const signed = multipart.presignPart(key, upload, 3, { size: 100, expiresIn: 60 });
    assert.deepEqual(await line.during(() => signed), []);
    assert.deepEqual(await line.during(() => multipart.complete(key, upload, parts)), [
      "HEAD",
      "GET blocklist",
      "PUT blocklist",
      "PUT copy",
      "DELETE",
    ]);
    const another = await multipart.create(key);
    assert.deepEqual(await line.during(() => multipart.abort(key, another)), ["PUT", "DELETE"]);
  });

  test("connections are used again, and closed with the store", async (t) => {
    const { store, line } = await storeOn(t, server);
    const sockets = new Set<unknown>();
    let open = 0;
    line.rule = {
      answer: (_, { socket }) => {
        if (!sockets.has(socket)) {
          open += 1;
          socket.once("close", () => (open -= 1));
        }
        sockets.add(socket);
        return false;
      },
    };
    for (let i = 0; i < 5; i++) {
      await putBytes(store, key, bytesOf(i, 1000));
      await getBytes(store, key);
      await store.stat(key);
    }
    // A connection is free again a moment after its answer was read.
    assert.ok(sockets.size <= 2, `${sockets.size} connections for 15 requests`);
    assert.ok(open > 0);
    const closed = performance.now();
    await store.close();
    await eventually("its connections are closed", () => open === 0);
    // By themselves they would be kept for five seconds.
    assert.ok(performance.now() - closed < 4000);
  });
});
