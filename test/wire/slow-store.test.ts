import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, StorageError, type Fault, type ObjectStore } from "@holdall/object-store";
import { seededBytes, sha256 } from "../support/content.ts";
import { answerTo, open, send } from "../support/http.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

// Clients give up a connection on which nothing moves for 30 seconds (lfs.activitytimeout), and send everything again.

const MIB = 1024 * 1024;
/** Milliseconds: enough for what is not held up, on a busy machine too. */
const SHORT = 1000;
/** What these tests are about would otherwise be a wait for ever. */
const LIMIT = { timeout: 60_000 };

/** A store that does this the next time it is asked to, and is sound otherwise. */
function faultOnce(fault: Fault): { layer: (store: ObjectStore) => ObjectStore; begin: () => void } {
  let begun = false;
  return {
    layer: (store) =>
      new FaultyLayer(store, (call) => {
        if (!begun || call !== fault.call) return undefined;
        begun = false;
        return fault;
      }),
    begin: () => (begun = true),
  };
}

function hanging(call: Fault["call"], at: "before" | "after"): Fault {
  return { call, moment: { at }, error: new Promise(() => {}) };
}

test("an upload is hashed and stored as it comes, so that little is left to do at its end", LIMIT, async () => {
  const error = new StorageError("unavailable", "out of order");
  const { layer, begin } = faultOnce({ call: "put", moment: { at: "body", bytes: 3 * MIB }, error });
  await using server = await WireServer.start({ layer });
  const bytes = seededBytes(1, 8 * MIB);
  const path = await server.as().target("app", "upload", { oid: sha256(bytes), size: bytes.length });
  begin();
  const outgoing = open({
    port: server.port,
    method: "PUT",
    path,
    headers: { "Content-Length": String(bytes.length) },
  });
  const answered = answerTo(outgoing);

  outgoing.write(bytes.subarray(0, 4 * MIB));

  // The store has met its fault, so it had the bytes before the client has sent the others.
  refusal(503, await answered);
  outgoing.destroy();
});

test(
  "whoever waits for a store that hangs is let go after the idle time, and the others are served",
  LIMIT,
  async () => {
    for (const fault of [hanging("get", "before"), hanging("put", "before"), hanging("put", "after")]) {
      const { layer, begin } = faultOnce(fault);
      await using server = await WireServer.start({ layer, limits: { idleTimeout: SHORT } });
      const user = server.as();
      const [here, coming] = [seededBytes(1, 1000), seededBytes(2, 1000)];
      const oid = await user.upload("app", here);
      const get = { method: "GET", path: await user.target("app", "download", { oid }) };
      const put = { method: "PUT", path: await user.target("app", "upload", { oid: sha256(coming), size: 1000 }) };
      begin();

      const body = fault.call === "put" ? { body: coming } : {};
      const hung = send({ port: server.port, ownConnection: true, ...(fault.call === "put" ? put : get), ...body });

      await assert.rejects(hung, { code: "ECONNRESET" });
      assert.deepEqual((await user.download("app", { oid })).body, here);
      assert.equal((await user.request("PUT", put.path, { body: coming })).status, 200);
    }
  },
);
