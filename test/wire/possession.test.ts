import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { LfsEvent } from "@holdall/lfs-service";
import { seededBytes, sha256 } from "../support/content.ts";
import { send, type Answer } from "../support/http.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({
  users: ["ada", "bob"],
  rules: [
    ["user:ada", "ada/**", "write"],
    ["user:bob", "bob/**", "write"],
    ["users", "shared/**", "write"],
  ],
});
after(() => server[Symbol.asyncDispose]());
const ada = server.as("ada");
const bob = server.as("bob");

const SECRET = seededBytes(1, 500_000);
const OID = await ada.upload("ada/app", SECRET);
// So that the repository is there.
await bob.upload("bob/app", Buffer.from("something of bob's own"));

test("knowing the oid of another repository's object gives nothing", async () => {
  const entry = await bob.ask("bob/app", "download", { oid: OID, size: SECRET.length });
  assert.equal(entry.error?.code, 404);
  assert.equal(entry.actions, undefined);

  refusal(404, await bob.get(`bob/app/objects/${OID}`));
  refusal(404, await bob.get(`ada/app/objects/${OID}`));
  assert.equal((await bob.request("HEAD", `/bob/app/objects/${OID}`)).status, 404);
  refusal(404, await bob.post("bob/app/objects/verify", { oid: OID, size: SECRET.length }));
});

test("what is in another repository reads like what is nowhere", async () => {
  const nowhere = "0".repeat(64);
  const [there, missing] = await bob.batch("bob/app", "download", [
    { oid: OID, size: 1 },
    { oid: nowhere, size: 1 },
  ]);

  assert.deepEqual(there?.error, missing?.error);
  const texts = [];
  for (const oid of [OID, nowhere])
    texts.push(refusal(404, await bob.get(`bob/app/objects/${oid}`)).message.replaceAll(oid, ""));
  assert.equal(texts[0], texts[1]);
});

test("what is stored for another repository must be sent all the same, and is then to be had in both", async () => {
  const bytes = Buffer.from("known to both");
  const oid = await ada.upload("ada/app", bytes);
  const keys = await server.stored();
  const stored = await server.store.stat(await server.keyOf(oid));

  const entry = await bob.ask("bob/app", "upload", { oid, size: bytes.length });
  assert.ok(entry.actions?.upload !== undefined, "the batch asks for the bytes");
  await bob.upload("bob/app", bytes);

  assert.deepEqual((await bob.download("bob/app", { oid })).body, bytes);
  assert.deepEqual((await ada.download("ada/app", { oid })).body, bytes);
  assert.deepEqual(await server.stored(), keys, "and stored once");
  assert.deepEqual(await server.store.stat(await server.keyOf(oid)), stored, "and never written again");
});

test("other bytes than those that are stored earn nothing and change nothing", async () => {
  const wrong: ReadonlyArray<readonly [bytes: Uint8Array, size: number | undefined]> = [
    [Buffer.alloc(SECRET.length), SECRET.length],
    [Buffer.alloc(SECRET.length), undefined],
    [Buffer.alloc(0), undefined],
    [Buffer.alloc(0), SECRET.length],
    [SECRET.subarray(1), undefined],
    [Buffer.concat([SECRET, SECRET]), undefined],
  ];
  for (const [bytes, size] of wrong) {
    const path = await bob.target("bob/app", "upload", size === undefined ? { oid: OID } : { oid: OID, size });

    refusal(400, await send({ port: server.port, method: "PUT", path, body: bytes }));

    refusal(404, await bob.get(`bob/app/objects/${OID}`));
  }
  assert.deepEqual((await ada.download("ada/app", { oid: OID })).body, SECRET);
});

test("an announced upload of what is elsewhere earns nothing before it has come", async () => {
  await bob.target("bob/app", "upload", { oid: OID, size: SECRET.length });

  assert.equal((await bob.ask("bob/app", "download", { oid: OID })).error?.code, 404);
});

test("an object whose copy in the store has lost bytes is asked for once more, and made good", async () => {
  const bytes = seededBytes(7, 10_000);
  const oid = await ada.upload("ada/app", bytes);
  await server.damage(oid, bytes.subarray(0, 5000));

  const path = await bob.target("bob/app", "upload", { oid, size: bytes.length });
  const put = { port: server.port, method: "PUT", path, body: bytes };
  const again = refusal(503, await send(put));
  assert.match(again.message, /send the object again/);
  assert.equal((await send(put)).status, 200);

  assert.deepEqual((await ada.download("ada/app", { oid })).body, bytes);
  const [healed] = server.events.filter(({ type }) => type === "object-healed").map(withoutRequest);
  assert.deepEqual(healed, { type: "object-healed", repository: "bob/app", oid, by: "bob" });
});

test("a wrong body makes a damaged copy no worse", async () => {
  const bytes = seededBytes(8, 10_000);
  const oid = await ada.upload("ada/app", bytes);
  await server.damage(oid, bytes.subarray(0, 5000));

  const path = await bob.target("bob/app", "upload", { oid, size: bytes.length });
  const put = (body: Uint8Array): Promise<Answer> => send({ port: server.port, method: "PUT", path, body });
  refusal(400, await put(Buffer.alloc(10_000)));
  refusal(503, await put(bytes));
  refusal(400, await put(Buffer.alloc(10_000)));

  assert.equal((await server.store.stat(await server.keyOf(oid)))?.size, 5000);
});

test("an object that the store has lost can be put back by its own repository's writer", async () => {
  const bytes = seededBytes(9, 10_000);
  const oid = await ada.upload("ada/app", bytes);
  await server.store.delete(await server.keyOf(oid));
  refusal(404, await ada.download("ada/app", { oid }));

  assert.equal((await ada.request("PUT", `/ada/app/objects/${oid}`, { body: bytes })).status, 200);

  assert.deepEqual((await ada.download("ada/app", { oid })).body, bytes);
});

test("repositories come into being with the first upload that arrives, and not before", async () => {
  refusal(404, await bob.get("bob/new/locks"));
  const bytes = Buffer.from("the first in bob/new");
  const oid = sha256(bytes);
  const path = await bob.target("bob/new", "upload", { oid, size: bytes.length });
  refusal(404, await bob.get("bob/new/locks"));
  refusal(400, await send({ port: server.port, method: "PUT", path, body: Buffer.alloc(bytes.length) }));
  refusal(404, await bob.get("bob/new/locks"));

  assert.equal((await send({ port: server.port, method: "PUT", path, body: bytes })).status, 200);

  assert.equal((await bob.get("bob/new/locks")).status, 200);
  assert.deepEqual(server.events.filter((event) => event.repository === "bob/new").map(withoutRequest), [
    { type: "repository-created", repository: "bob/new", by: "bob" },
  ]);
});

function withoutRequest(event: LfsEvent): object {
  const { requestId: _, ...rest } = event;
  return rest;
}
