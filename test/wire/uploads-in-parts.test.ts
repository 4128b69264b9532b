import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { BatchResponse, type BatchObject } from "@holdall/lfs-protocol";
import { send, type Answer } from "../support/http.ts";
import { message, refusal } from "../support/messages.ts";
import { oidNamed, repositoryNamed } from "../support/names.ts";
import { type SeededObject, seededObject } from "../support/seeded-objects.ts";
import { WireServer } from "./support/wire-server.ts";

const PART = 1000;
const policy = { mode: "proxy", multipartThreshold: 2 * PART, partSize: PART } as const;
const server = await WireServer.start({ store: "fs", transferPolicy: policy });
const withoutParts = await WireServer.start({ transferPolicy: policy });
after(async () => {
  await server[Symbol.asyncDispose]();
  await withoutParts[Symbol.asyncDispose]();
});

let seed = 0;
function newObject(size = 3500): SeededObject {
  seed += 1;
  return seededObject(seed, size);
}

async function batch(
  { oid, size }: SeededObject,
  transfers: readonly string[],
  at = server,
): Promise<{ readonly transfer: string; readonly actions: NonNullable<BatchObject["actions"]> }> {
  const body = { operation: "upload", transfers, objects: [{ oid, size }] };
  const { transfer, objects } = message(BatchResponse, 200, await at.as().post("team/app/objects/batch", body));
  return { transfer, actions: objects[0]?.actions ?? {} };
}

function call(
  method: string,
  href: string | undefined,
  o: { readonly headers?: Readonly<Record<string, string>>; readonly body?: Uint8Array } = {},
): Promise<Answer> {
  const { pathname, search, port } = new URL(href ?? assert.fail());
  return send({ ...o, method, path: pathname + search, port: Number(port) });
}

const TUS = { "Tus-Resumable": "1.0.0" };
const patch = (offset: number): Record<string, string> => ({
  ...TUS,
  "Content-Type": "application/offset+octet-stream",
  "Upload-Offset": String(offset),
});

test("a batch for multipart-basic says what to send where, as Giftless does", async () => {
  const object = newObject();
  const { transfer, actions } = await batch(object, ["multipart-basic", "basic"]);
  assert.equal(transfer, "multipart-basic");
  const upload = `http://127.0.0.1:${server.port}/team/app.git/info/lfs/objects/${object.oid}/upload`;
  const plain = (href: string): string => href.replace(/\?token=[\w.-]+$/, "");
  const { parts = [], commit, verify, abort, ...others } = actions;
  assert.deepEqual(others, {});
  assert.deepEqual(
    parts.map((part) => Object.assign(part, { href: plain(part.href) })),
    [
      { href: `${upload}/parts/1`, pos: 0, size: 1000, expires_in: 3600, want_digest: "contentMD5" },
      { href: `${upload}/parts/2`, pos: 1000, size: 1000, expires_in: 3600, want_digest: "contentMD5" },
      { href: `${upload}/parts/3`, pos: 2000, size: 1000, expires_in: 3600, want_digest: "contentMD5" },
      { href: `${upload}/parts/4`, pos: 3000, size: 500, expires_in: 3600, want_digest: "contentMD5" },
    ],
  );
  assert.deepEqual([commit?.method, plain(commit?.href ?? "")], ["POST", `${upload}/commit`]);
  assert.deepEqual([plain(verify?.href ?? "")], [`${upload}/verify`]);
  assert.deepEqual([abort?.method, plain(abort?.href ?? "")], ["DELETE", upload]);
});

test("parts, commit and verify are refused as they should be, and taken when they are right", async () => {
  const object = newObject();
  const { parts = [], commit, verify } = (await batch(object, ["multipart-basic"])).actions;
  const [first, ...rest] = parts;
  const bytes = (part: { pos: number; size: number } | undefined): Buffer =>
    object.bytes.subarray(part?.pos, (part?.pos ?? 0) + (part?.size ?? 0));
  const md5 = (of: Buffer): Record<string, string> => ({
    "Content-MD5": createHash("md5").update(of).digest("base64"),
  });

  assert.match(refusal(400, await call("PUT", first?.href, { body: bytes(first).subarray(1) })).message, /999 bytes/);
  const wrong = { body: bytes(first), headers: md5(Buffer.from("another")) };
  assert.match(refusal(400, await call("PUT", first?.href, wrong)).message, /Content-MD5/);
  refusal(404, await call("PUT", first?.href.replace("parts/1", "parts/5"), { body: bytes(first) }));
  refusal(404, await call("PUT", first?.href.replace("parts/1", "parts/0"), { body: bytes(first) }));
  refusal(404, await call("POST", first?.href, { body: bytes(first) }));
  refusal(403, await call("PUT", first?.href.replace(/token=.*/, ""), { body: bytes(first) }));
  refusal(409, await call("POST", commit?.href));
  refusal(409, await call("POST", verify?.href));
  for (const part of [first, ...rest]) {
    assert.equal((await call("PUT", part?.href, { body: bytes(part), headers: md5(bytes(part)) })).status, 200);
  }
  assert.equal((await call("POST", commit?.href)).status, 200);
  assert.equal((await call("POST", verify?.href)).status, 200);
  const { oid, size } = object;
  assert.ok((await server.as().download("team/app", { oid, size })).body.equals(object.bytes));
});

test("an upload that is given up can begin anew", async () => {
  const object = newObject();
  const { parts = [], abort } = (await batch(object, ["multipart-basic"])).actions;
  await call("PUT", parts[0]?.href, { body: object.bytes.subarray(0, PART) });
  assert.equal((await call("DELETE", abort?.href)).status, 204);
  refusal(404, await call("PUT", parts[1]?.href, { body: object.bytes.subarray(PART, 2 * PART) }));
  assert.equal((await batch(object, ["multipart-basic"])).actions.parts?.length, 4);
});

test("tus: the offset, the bytes from there on, and again", async () => {
  const object = newObject();
  const { transfer, actions } = await batch(object, ["basic", "tus"]);
  assert.equal(transfer, "tus");
  const { upload, ...others } = actions;
  assert.deepEqual(others, {});
  const href = upload?.href;

  const options = await call("OPTIONS", href);
  assert.deepEqual([options.status, options.headers["tus-version"]], [204, "1.0.0"]);
  const head = async (): Promise<unknown[]> => {
    const { status, headers } = await call("HEAD", href, { headers: TUS });
    return [
      status,
      headers["upload-offset"],
      headers["upload-length"],
      headers["tus-resumable"],
      headers["cache-control"],
    ];
  };
  assert.deepEqual(await head(), [200, "0", "3500", "1.0.0", "no-store"]);
  const some = await call("PATCH", href, { headers: patch(0), body: object.bytes.subarray(0, 1234) });
  assert.deepEqual([some.status, some.headers["upload-offset"], some.headers["tus-resumable"]], [204, "1234", "1.0.0"]);
  assert.deepEqual(await head(), [200, "1234", "3500", "1.0.0", "no-store"]);
  refusal(409, await call("PATCH", href, { headers: patch(1000), body: object.bytes.subarray(1000) }));
  const rest = await call("PATCH", href, { headers: patch(1234), body: object.bytes.subarray(1234) });
  assert.deepEqual([rest.status, rest.headers["upload-offset"]], [204, "3500"]);
  assert.deepEqual(await head(), [200, "3500", "3500", "1.0.0", "no-store"]);
  const { oid, size } = object;
  assert.ok((await server.as().download("team/app", { oid, size })).body.equals(object.bytes));
});

test("tus: what is no such request is refused", async () => {
  const object = newObject();
  const { upload } = (await batch(object, ["tus"])).actions;
  const bytes = object.bytes;
  const tried = async (headers: Record<string, string>, body: Uint8Array = bytes): Promise<number> => {
    const answer = await call("PATCH", upload?.href, { headers, body });
    return answer.status;
  };
  const { "Tus-Resumable": _, ...noVersion } = patch(0);
  assert.equal(await tried(noVersion), 400);
  assert.equal(await tried({ ...patch(0), "Tus-Resumable": "0.2.2" }), 400);
  assert.equal(await tried({ ...patch(0), "Content-Type": "application/octet-stream" }), 400);
  assert.equal(await tried({ ...patch(0), "Upload-Offset": "-1" }), 400);
  assert.equal(await tried({ ...patch(0), "Upload-Offset": "x" }), 400);
  assert.equal(await tried(patch(1)), 400, "more bytes than the object has");
  assert.equal(await tried(patch(0), Buffer.alloc(3500)), 400, "other bytes");
  const chunked = await call("PATCH", upload?.href, { headers: { ...patch(0), "Transfer-Encoding": "chunked" } });
  assert.match(refusal(400, chunked).message, /Content-Length/);
  assert.equal((await call("HEAD", upload?.href)).status, 400);
  assert.equal((await call("HEAD", upload?.href.replace(/token=./, "token=X"), { headers: TUS })).status, 403);
  assert.equal((await call("HEAD", upload?.href, { headers: TUS })).headers["upload-offset"], "0");
});

test("a token that has expired, or is for a download, opens no upload", async () => {
  const object = newObject();
  const { upload } = (await batch(object, ["tus"])).actions;
  const issue = (operation: "upload" | "download", milliseconds: number): string =>
    server.actionTokens.issue({
      repository: repositoryNamed("team/app"),
      operation,
      principal: "ada",
      expiresAt: new Date(Date.now() + milliseconds),
    })(oidNamed(object.oid), object.size);
  for (const token of [issue("upload", -1000), issue("download", 60_000)]) {
    const href = upload?.href.replace(/token=.*/, `token=${token}`);
    assert.equal((await call("HEAD", href, { headers: TUS })).status, 403);
    refusal(403, await call("PATCH", href, { headers: patch(0), body: object.bytes }));
    refusal(403, await call("POST", href?.replace("/upload?", "/upload/commit?")));
  }
});

test("an upload whose size nobody has said cannot go in parts, and no client hears a 422", async () => {
  const object = newObject();
  const { upload } = (await batch({ ...object, size: 0 }, ["tus"])).actions;
  const token = server.actionTokens.issue({
    repository: repositoryNamed("team/app"),
    operation: "upload",
    principal: "ada",
    expiresAt: new Date(Date.now() + 60_000),
  })(oidNamed(object.oid));
  const href = upload?.href.replace(/token=.*/, `token=${token}`);
  assert.match(refusal(400, await call("POST", href?.replace("/upload?", "/upload/commit?"))).message, /size/);
});

test("a store that has no uploads in parts is not asked for any", async () => {
  const object = newObject();
  assert.equal((await batch(object, ["basic", "tus", "multipart-basic"], withoutParts)).transfer, "basic");
});
