import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FaultyLayer, StorageError, type Fault } from "@holdall/object-store";
import { seededBytes, sha256 } from "../support/content.ts";
import { headOf, open, type Answer } from "../support/http.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

/** What the store does next, in this order, where the call is the one named. */
let faults: Fault[] = [];

const server = await WireServer.start({
  layer: (store) => new FaultyLayer(store, (call) => (faults[0]?.call === call ? faults.shift() : undefined)),
});
after(() => server[Symbol.asyncDispose]());
const user = server.as();
beforeEach(() => {
  faults = [];
});

let seed = 0;
const PATH = "/var/lib/secret/place";

function full(): StorageError {
  return new StorageError("full", `no space left on ${PATH}`);
}

function put(bytes: Uint8Array): Promise<Answer> {
  return user.tryUpload("app", bytes);
}

const MOMENTS: ReadonlyArray<readonly [when: string, fault: Fault]> = [
  ["before it takes anything", { call: "put", moment: { at: "before" }, error: full() }],
  ["in the middle of the body", { call: "put", moment: { at: "body", bytes: 300_000 }, error: full() }],
];

for (const [when, fault] of MOMENTS) {
  test(`a store that is full ${when} is 507, loses nothing, and the server lives on`, async () => {
    const bytes = seededBytes(++seed, 1_000_000);
    const before = await server.stored();
    faults = [fault];

    const { message: said } = refusal(507, await put(bytes));

    assert.match(said, /full/);
    assert.doesNotMatch(said, /secret/, "the message names no place inside the server");
    assert.match(server.log.join(""), /no space left/, "the log does");
    assert.deepEqual(await server.stored(), before);
    assert.equal((await put(bytes)).status, 200);
  });
}

/** What a store says, and what a client hears of it. */
const FAILURES: ReadonlyArray<readonly [error: Error, status: number, retryAfter: boolean]> = [
  [new StorageError("full", PATH), 507, false],
  [new StorageError("unavailable", PATH), 503, true],
  [new StorageError("throttled", PATH), 429, true],
  [new StorageError("denied", PATH), 500, false],
  [new StorageError("unsupported", PATH), 500, false],
  [new Error(PATH), 500, false],
];

for (const [error, status, retryAfter] of FAILURES) {
  const name = error instanceof StorageError ? error.code : "broken in some other way";
  test(`a store that is ${name} is ${status} for an upload and for a download, and nobody learns its places`, async () => {
    const bytes = seededBytes(++seed, 200_000);
    const oid = await user.upload("app", bytes);
    for (const answer of [
      await failing({ call: "put", moment: { at: "before" }, error }, () => put(seededBytes(1000 + seed, 10))),
      await failing({ call: "put", moment: { at: "after" }, error }, () => put(seededBytes(1000 + seed, 11))),
      await failing({ call: "get", moment: { at: "before" }, error }, () => user.download("app", { oid })),
      // The head is sent with the first bytes and not before them.
      await failing({ call: "get", moment: { at: "body", bytes: 0 }, error }, () => user.download("app", { oid })),
    ]) {
      const { message: said, request_id: id } = refusal(status, answer);
      assert.doesNotMatch(said, /secret/);
      assert.equal(/^\d+$/.test(answer.headers["retry-after"] ?? ""), retryAfter);
      if (status < 500) continue;
      const line = server.log.find((each) => each.includes(id) && each.includes('"level":50'));
      assert.match(line ?? "", /secret/, "the operator finds the cause by the request's id");
    }
    assert.deepEqual((await user.download("app", { oid })).body, bytes, "the server lives on");
  });
}

test("an upload that was stored although the store failed to say so succeeds when it is sent again", async () => {
  const bytes = seededBytes(++seed, 1000);
  faults = [{ call: "put", moment: { at: "after" }, error: new StorageError("unavailable", PATH) }];
  refusal(503, await put(bytes));
  assert.equal((await user.ask("app", "download", { oid: sha256(bytes) })).error?.code, 404);

  assert.equal((await put(bytes)).status, 200);

  assert.deepEqual((await user.download("app", { oid: sha256(bytes) })).body, bytes);
});

test("a store that fails in the middle of a download cuts the connection, so that nobody takes it for whole", async () => {
  const bytes = seededBytes(++seed, 2_000_000);
  const oid = await user.upload("app", bytes);
  const path = await user.target("app", "download", { oid });
  faults = [{ call: "get", moment: { at: "body", bytes: 1_000_000 }, error: new StorageError("unavailable", PATH) }];

  const incoming = await headOf(open({ port: server.port, method: "GET", path }).end());

  assert.equal(incoming.statusCode, 200);
  assert.equal(incoming.headers["content-length"], "2000000");
  await assert.rejects(incoming.toArray(), { code: "ECONNRESET" });
  assert.match(server.log.join(""), /"level":50[^\n]*secret[^\n]*cut short/, "the operator hears of it");
  assert.deepEqual((await user.download("app", { oid })).body, bytes);
});

test("a failure is told to the one whom it meets and to nobody else", async () => {
  const oid = await user.upload("app", seededBytes(++seed, 1_000_000));
  faults = [{ call: "get", moment: { at: "before" }, error: new Error("just once") }];

  const answers = await Promise.all(Array.from({ length: 10 }, () => user.download("app", { oid })));

  assert.deepEqual(
    answers.map(({ status }) => status).sort((a, b) => a - b),
    [200, 200, 200, 200, 200, 200, 200, 200, 200, 500],
  );
});

async function failing(fault: Fault, call: () => Promise<Answer>): Promise<Answer> {
  faults = [fault];
  return await call();
}
