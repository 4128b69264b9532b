import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, StorageError } from "@holdall/object-store";
import type { Answer } from "../support/http.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

function read(answer: Answer): readonly [status: number, body: unknown] {
  return [answer.status, JSON.parse(answer.body.toString())];
}

test("a server that serves says so, to anybody, by GET and by HEAD", async () => {
  await using server = await WireServer.start({ rules: [] });
  const user = server.as();

  assert.deepEqual(read(await user.get("healthz")), [200, { status: "ok" }]);
  assert.deepEqual(read(await user.get("readyz")), [200, { status: "ready" }]);
  for (const path of ["/healthz", "/readyz"]) assert.equal((await user.request("HEAD", path)).status, 200);
  assert.equal((await user.get("healthz?verbose=1")).status, 200);
  refusal(404, await user.get("healthz/more"));
  refusal(404, await user.post("healthz", {}));
});

test("without its database a server is alive but not ready, and says come back later rather than that nothing is there", async () => {
  await using server = await WireServer.start();
  const user = server.as();
  const oid = await user.upload("app", Buffer.from("some bytes"));
  const path = await user.target("app", "download", { oid });
  await server.metadata.close();

  assert.deepEqual(read(await user.get("readyz")), [503, { status: "unavailable" }]);
  assert.deepEqual(read(await user.get("healthz")), [200, { status: "ok" }]);
  // 404 or 501 would turn lock checks off in clients, and an error of single objects would never be tried again.
  for (const answer of [
    await user.post("app/locks/verify", {}),
    await user.get("app/locks"),
    await user.post("app/locks", { path: "a file" }),
    await user.askBatch("app", "download", [{ oid, size: 10 }]),
    await user.askBatch("app", "upload", [{ oid, size: 10 }]),
    await user.get(`app/objects/${oid}`),
  ]) {
    refusal(503, answer);
    assert.match(answer.headers["retry-after"] ?? "", /^\d+$/);
  }
  assert.match(server.log.join(""), /not ready/);
  // What a batch has granted needs no database.
  assert.equal((await user.request("GET", path)).body.toString(), "some bytes");
});

test("without its store a server is alive but not ready", async () => {
  const error = new StorageError("unavailable", "the bucket does not answer");
  await using server = await WireServer.start({
    layer: (store) => new FaultyLayer(store, (call) => ({ call, moment: { at: "before" }, error })),
  });

  assert.deepEqual(read(await server.as().get("readyz")), [503, { status: "unavailable" }]);
  assert.deepEqual(read(await server.as().get("healthz")), [200, { status: "ok" }]);
});
