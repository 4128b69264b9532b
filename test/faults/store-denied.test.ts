import assert from "node:assert/strict";
import { ErrorResponse } from "@holdall/lfs-protocol";
import { Value } from "typebox/value";
import { MultipartClient } from "../support/multipart-client.ts";
import { seededObject } from "../support/seeded-objects.ts";
import type { Server } from "../support/server.ts";
import { said, type Said } from "./support/direct.ts";
import { download } from "./support/downloads.ts";
import { policyWithout } from "./support/policy.ts";
import { S3Scene } from "./support/s3-scene.ts";
import { assertNoSecrets } from "./support/secrets.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const REPOSITORY = "team/app";
const THERE = seededObject(1, 1000);
/** Goes in parts. */
const LARGE = seededObject(2, 16 * 1024 ** 2);

/** The client hears that it is the operator who has to do something, and the log says what. */
async function assertForOperator(server: Server, { status, text }: Said, advice: RegExp): Promise<void> {
  assert.equal(status, 500, text);
  const { message, request_id: id } = Value.Parse(ErrorResponse, JSON.parse(text));
  assert.equal(message, "the store failed: tell the server's operator");
  const [line] = await server.untilLogged(({ reqId, msg }) => reqId === id && msg === message);
  assert.match(line?.text ?? "", advice);
}

story("S3: permissions that a start can do without are named when they are missed, and the rest works", async (t) => {
  const missing = ["s3:DeleteObject", "s3:ListBucketMultipartUploads"];
  const scene = await S3Scene.start(t, { env: (s3, bucket) => s3.addUser(policyWithout(missing, bucket)) });
  const { server, user, store } = scene;
  const [line] = await server.untilLogged("could not remove all that unfinished uploads have left behind");
  assert.match(line?.text ?? "", /AccessDenied: .*; allow these credentials s3:ListBucketMultipartUploads in the buck/);

  const client = new MultipartClient(server.lfsUrl(REPOSITORY));
  const { parts = [], commit, verify } = (await client.actions(LARGE)) ?? assert.fail();
  assert.ok(commit !== undefined && verify !== undefined);
  for (const part of parts) assert.equal((await client.sendPart(part, LARGE.bytes)).status, 200);
  assert.equal((await client.commit(commit)).status, 200);
  const answer = await said(client.verify(verify, LARGE));
  await assertForOperator(server, answer, /AccessDenied: .*; allow these credentials s3:DeleteObject in the bucket/);
  // All that failed was to clear up.
  assert.equal((await client.verify(verify, LARGE)).status, 200);
  await user.upload(REPOSITORY, THERE.bytes);
  await assertDownloads(user, REPOSITORY, [THERE, LARGE]);
  assertNoSecrets(server, store);
});

story("S3: keys that are revoked while the server runs are named and not shown, and may be good again", async (t) => {
  const { s3, server, store, user } = await S3Scene.start(t);
  await user.upload(REPOSITORY, THERE.bytes);
  const revoked = { status: 403, code: "InvalidAccessKeyId" } as const;
  const over = s3.fault({ times: Infinity }, { answer: revoked });
  for (const { status, body } of await Promise.all([
    user.tryUpload(REPOSITORY, seededObject(3, 1000).bytes),
    user.tryUpload(REPOSITORY, LARGE.bytes),
    download(user, REPOSITORY, THERE),
  ])) {
    const advice = /InvalidAccessKeyId: planted .*; the store does not know the access key: check AWS_ACCESS_KEY_ID/;
    await assertForOperator(server, { status, text: body.toString() }, advice);
  }
  over();
  await user.upload(REPOSITORY, LARGE.bytes);
  await assertDownloads(user, REPOSITORY, [THERE, LARGE]);
  assertNoSecrets(server, store);
});
