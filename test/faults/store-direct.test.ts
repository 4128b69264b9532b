import assert from "node:assert/strict";
import { openStore, parseKey, parseStoreUrl } from "@holdall/object-store";
import type { TestContext } from "node:test";
import { CLOUDS, type CloudStore } from "../support/cloud-stores.ts";
import { MultipartClient } from "../support/multipart-client.ts";
import { seededBytes } from "../support/content.ts";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { DirectClient, said } from "./support/direct.ts";
import { S3Scene } from "./support/s3-scene.ts";
import { contentsOf } from "./support/store-contents.ts";
import { story } from "./support/story.ts";

const REPOSITORY = "team/app";
const OBJECT = seededObject(1, 100_000);
const ANOTHER = seededObject(2, 100_000);
const LARGE = seededObject(3, 20 * 1024 ** 2);
/** As long as the object. */
const WRONG = seededBytes(9, OBJECT.size);
const DIRECT = { config: { transfer: "direct" } };
const HOUR = 3_600_000;

/** The clock of this process, which is the store's and not the server's, from now on. */
function setClock(t: TestContext, now: number): void {
  t.mock.timers.enable({ apis: ["Date"], now });
}

story("S3: a link is refused by the store when its time is over, and the next batch has a new one", async (t) => {
  const scene = await S3Scene.start(t, DIRECT);
  const client = new DirectClient(scene.server, REPOSITORY);
  const { upload, verify } = (await client.offer(OBJECT)) ?? assert.fail();
  const parts = (await new MultipartClient(scene.server.lfsUrl(REPOSITORY)).actions(LARGE))?.parts ?? [];
  const [part] = parts;

  setClock(t, Date.now() + HOUR + 1000);
  for (const [action, body] of [
    [upload, OBJECT.bytes],
    [part ?? assert.fail(), LARGE.bytes.subarray(0, part?.size)],
  ] as const) {
    const { status, text } = await client.send(action, body);
    assert.equal(status, 403);
    assert.match(text, /<Code>AccessDenied<\/Code><Message>Request has expired/);
  }
  t.mock.timers.reset();
  assert.deepEqual(await scene.contents(), { oids: [], waiting: [] });
  assert.equal((await client.verify(verify, OBJECT)).status, 404, "nothing has come");

  const again = (await client.offer(OBJECT)) ?? assert.fail();
  assert.equal((await client.send(again.upload, OBJECT.bytes)).status, 200);
  assert.equal((await client.verify(again.verify, OBJECT)).status, 200);
  const { oid, size } = OBJECT;
  const link = (await scene.user.ask(REPOSITORY, "download", { oid, size })).actions?.download ?? assert.fail();
  assert.equal((await client.send(link, undefined, { method: "GET" })).status, 200);
  setClock(t, Date.now() + HOUR + 1000);
  assert.equal((await client.send(link, undefined, { method: "GET" })).status, 403);
});

story("S3: a link for an upload takes these bytes at this place, and nothing else", async (t) => {
  const scene = await S3Scene.start(t, DIRECT);
  const client = new DirectClient(scene.server, REPOSITORY);
  const { upload, verify } = (await client.offer(OBJECT)) ?? assert.fail();
  const other = (await client.offer(ANOTHER)) ?? assert.fail();
  const { "x-amz-checksum-sha256": _, ...unchecked } = upload.header ?? {};
  const elsewhere = upload.href.replace(OBJECT.oid, ANOTHER.oid);
  const mismatch = [403, "SignatureDoesNotMatch"] as const;
  for (const [what, body, otherwise, [status, code]] of [
    ["another body", WRONG, {}, [400, "BadDigest"]],
    ["a part of the body", OBJECT.bytes.subarray(1), {}, [400, "BadDigest"]],
    ["without the digest", WRONG, { header: unchecked }, mismatch],
    ["with another digest", ANOTHER.bytes, { header: { ...other.upload.header } }, mismatch],
    ["for another oid", ANOTHER.bytes, { href: elsewhere }, mismatch],
    ["to read", undefined, { method: "GET" }, mismatch],
    ["to delete", undefined, { method: "DELETE" }, mismatch],
  ] as const) {
    const answer = await client.send(upload, body, otherwise);
    assert.equal(answer.status, status, what);
    assert.match(answer.text, new RegExp(`<Code>${code}</Code>`), what);
  }
  assert.deepEqual(await scene.contents(), { oids: [], waiting: [] });
  assert.equal((await client.verify(verify, OBJECT)).status, 404);

  // What was not sent by this link is not earned by it.
  assert.equal((await client.send(other.upload, ANOTHER.bytes)).status, 200);
  assert.equal((await client.verify(verify, ANOTHER)).status, 403, "a token is for one object");
  assert.equal((await client.verify(verify, OBJECT)).status, 404);
  const stranger = new DirectClient(scene.server, "strangers/app");
  const unearned = (await stranger.offer(OBJECT)) ?? assert.fail();
  assert.equal((await client.send(upload, OBJECT.bytes)).status, 200);
  assert.equal((await stranger.verify(unearned.verify, OBJECT)).status, 429, "it came by another's link");
  assert.equal((await client.verify(verify, { ...OBJECT, size: 99_999 })).status, 400);
  assert.equal((await client.verify(verify, OBJECT)).status, 200);
  assert.equal((await client.verify(other.verify, ANOTHER)).status, 200);
});

story("Azure: a link is good for its time, its place and what it is for, and for nothing else", async (t) => {
  const store = await CLOUDS.Azure(t);
  if (store === undefined) return;
  const server = await Server.start(t, { config: { ...DIRECT.config, store: store.url }, env: store.env });
  const client = new DirectClient(server, REPOSITORY);
  const { upload } = (await client.offer(OBJECT)) ?? assert.fail();
  const elsewhere = upload.href.replace(/(?<=holdall-incoming\/)[0-9a-f]{40}/, "0".repeat(40));
  assert.notEqual(elsewhere, upload.href);
  for (const [what, body, otherwise] of [
    ["for another place", OBJECT.bytes, { href: elsewhere }],
    ["to read", undefined, { method: "GET" }],
    ["to delete", undefined, { method: "DELETE" }],
  ] as const) {
    const answer = await client.send(upload, body, otherwise);
    assert.equal(answer.status, 403, `${what}: ${answer.text}`);
  }
  // Azurite has a clock of its own: what is sent to it was signed an hour ago.
  assert.equal(await statusOfPutSigned(t, store, Date.now() - HOUR), 403);
  assert.deepEqual(await contentsOf(store), { oids: [], waiting: [] });
  assert.equal(await statusOfPutSigned(t, store, Date.now() - 30_000), 201);
});

/** @param time when a request is signed that is good for a minute, in milliseconds since 1970 */
async function statusOfPutSigned(t: TestContext, { url, env }: CloudStore, time: number): Promise<number> {
  Object.assign(process.env, env);
  const store = await openStore(parseStoreUrl(url));
  try {
    setClock(t, time);
    const body = new Uint8Array(WRONG);
    const signed = await store.presign(parseKey("any"), { method: "PUT", size: body.length, expiresIn: 60 });
    t.mock.timers.reset();
    return (await said(fetch(signed.url, { method: signed.method, headers: signed.headers, body }))).status;
  } finally {
    await store.close();
  }
}
