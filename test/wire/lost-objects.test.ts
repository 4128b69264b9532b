import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { FaultyLayer, parseKey, type ObjectKey } from "@holdall/object-store";
import { seededBytes, sha256 } from "../support/content.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

/** What the server has asked the store. */
let calls: string[] = [];

const server = await WireServer.start({
  layer: (store) => new FaultyLayer(store, (call, key) => void calls.push(`${call} ${key}`)),
});
after(() => server[Symbol.asyncDispose]());
const user = server.as();

const SIZE = 1000;
let seed = 0;

/** Takes an object's bytes out of the store, behind the server's back. */
async function lose(oid: string): Promise<void> {
  await server.store.delete(keyOf(oid));
}

function keyOf(oid: string): ObjectKey {
  return parseKey(`objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`);
}

test("an object whose bytes are gone is 404 with what to do, and an event for the operator", async () => {
  const oid = await user.upload("app", seededBytes(++seed, SIZE));
  const path = await user.target("app", "download", { oid });
  await lose(oid);

  for (const headers of [{}, { Range: "bytes=1-2" }, { Range: "bytes=999-" }]) {
    const before = server.events.length;
    const { message: said } = refusal(404, await user.request("GET", path, { headers }));
    assert.match(said, new RegExp(`lost on the server.*git lfs push --object-id origin ${oid}`));
    const event = server.events[before];
    assert.equal(event?.type, "object-damaged");
    assert.equal(event.oid, oid);
    assert.equal(event.repository, "app");
  }
  assert.equal((await user.request("HEAD", path)).status, 404);
});

test("an object whose bytes were found to be gone is asked for again by the next push, which brings it back", async () => {
  const [bytes, other] = [seededBytes(++seed, SIZE), seededBytes(++seed, SIZE)];
  const asked = [
    { oid: await user.upload("app", bytes), size: SIZE },
    { oid: await user.upload("app", other), size: SIZE },
  ];
  const oid = sha256(bytes);
  const path = await user.target("app", "download", { oid });
  await lose(oid);
  refusal(404, await user.request("GET", path));

  const [gone, whole] = await user.batch("app", "download", asked);
  assert.equal(gone?.error?.code, 404, "clients give up at once, and do not take it for a copy that is safe");
  assert.match(gone.error.message, /missing or damaged.*git lfs push --object-id/);
  assert.ok(whole?.actions?.download !== undefined, "the others are served");
  const wanted = (await user.batch("app", "upload", asked)).map(({ actions }) => actions?.upload !== undefined);
  assert.deepEqual(wanted, [true, false]);

  await user.upload("app", bytes);

  assert.deepEqual((await user.download("app", { oid })).body, bytes);
  assert.deepEqual(await user.ask("app", "upload", { oid, size: SIZE }), { oid, size: SIZE });
});

test("without a size, or with none that says anything, what is gone is asked for all the same", async () => {
  const bytes = seededBytes(++seed, SIZE);
  const oid = await user.upload("app", bytes);
  await lose(oid);
  refusal(404, await user.get(`app/objects/${oid}`));

  for (const asked of [{ oid }, { oid, size: 0 }]) {
    const path = await user.target("app", "upload", asked);
    assert.equal((await user.request("PUT", path, { body: bytes })).status, 200);
    await lose(oid);
    refusal(404, await user.get(`app/objects/${oid}`));
  }
});

test("bytes that were gone and are back, as after a disk is mounted, are there again without a push", async () => {
  const bytes = seededBytes(++seed, SIZE);
  const oid = await user.upload("app", bytes);
  await lose(oid);
  refusal(404, await user.get(`app/objects/${oid}`));
  refusal(404, await user.get(`app/objects/${oid}`));
  assert.equal((await user.ask("app", "download", { oid })).error?.code, 404);

  await server.store.put(keyOf(oid), Readable.from([bytes]), { size: bytes.length });

  assert.deepEqual((await user.download("app", { oid })).body, bytes);
  assert.deepEqual(await user.ask("app", "upload", { oid, size: SIZE }), { oid, size: SIZE });
});

test("a batch asks the store about those objects only that were found to be gone", async () => {
  const [sound, gone] = [seededBytes(++seed, SIZE), seededBytes(++seed, SIZE)];
  const asked = [
    { oid: await user.upload("app", sound), size: SIZE },
    { oid: await user.upload("app", gone), size: SIZE },
  ];
  const looksIn = async (operation: "upload" | "download"): Promise<string[]> => {
    calls = [];
    await user.batch("app", operation, asked);
    return calls;
  };
  for (const operation of ["upload", "download"] as const) assert.deepEqual(await looksIn(operation), []);
  await lose(sha256(gone));
  refusal(404, await user.get(`app/objects/${sha256(gone)}`));

  for (const operation of ["upload", "download"] as const) {
    assert.deepEqual(await looksIn(operation), [`stat ${keyOf(sha256(gone))}`]);
  }
  await server.store.put(keyOf(sha256(gone)), Readable.from([gone]), { size: SIZE });
  assert.equal((await looksIn("download")).length, 1);
  assert.deepEqual(await looksIn("upload"), [], "what was found again is believed again");
});

test("that bytes are gone is said even when it cannot be noted", async () => {
  await using other = await WireServer.start();
  const oid = await other.as().upload("app", seededBytes(1, SIZE));
  const path = await other.as().target("app", "download", { oid });
  await other.store.delete(keyOf(oid));
  await other.metadata.close();

  refusal(404, await other.as().request("GET", path));
});

test("an object that is cut in the store is 500 rather than served as whole, until the next push replaces it", async () => {
  const bytes = seededBytes(++seed, SIZE);
  const oid = await user.upload("app", bytes);
  const path = await user.target("app", "download", { oid });
  await server.damage(oid, bytes.subarray(0, 500));

  for (const headers of [{}, { Range: "bytes=1-2" }, { Range: "bytes=700-" }]) {
    const { message: said } = refusal(500, await user.request("GET", path, { headers }));
    assert.match(said, /damaged on the server.*git lfs push --object-id/);
  }
  assert.equal((await user.ask("app", "download", { oid })).error?.code, 404);

  await user.upload("app", bytes);

  assert.equal(server.events.at(-1)?.type, "object-healed");
  assert.deepEqual((await user.download("app", { oid })).body, bytes);
});
