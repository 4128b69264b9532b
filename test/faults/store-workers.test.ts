import assert from "node:assert/strict";
import { LFS_MEDIA_TYPE } from "@holdall/lfs-protocol";
import type { TestContext } from "node:test";
import { type Answer, send } from "../support/http.ts";
import { MultipartClient } from "../support/multipart-client.ts";
import { meeting } from "../support/s3-test-server/faults.ts";
import { seededObject } from "../support/seeded-objects.ts";
import type { Server } from "../support/server.ts";
import { isThere } from "./support/downloads.ts";
import { S3Scene } from "./support/s3-scene.ts";
import { story } from "./support/story.ts";

const MIB = 1024 ** 2;
const REPOSITORY = "team/app";
const SMALL = seededObject(1, 100_000);
/** In two parts, when it is the client who makes them. */
const IN_TWO = seededObject(2, 5 * MIB + 1000);
/** In two parts, when it is the server. */
const LARGE = seededObject(3, 8 * MIB + 1000);

async function withTwoWorkers(t: TestContext): Promise<S3Scene> {
  const scene = await S3Scene.start(t, { config: { workers: 2, partSize: "5MiB", multipartThreshold: "5MiB" } });
  await scene.server.untilLogged("worker serves", 2);
  return scene;
}

/** Asks twice at once, over two new connections, which go to two workers; both must succeed. */
async function twice(server: Server, method: string, href: string, body: string | Uint8Array): Promise<void> {
  const { pathname: path, search } = new URL(href, server.url);
  const headers = { Accept: LFS_MEDIA_TYPE, "Content-Type": LFS_MEDIA_TYPE };
  const once = (): Promise<Answer> =>
    send({ port: server.port, method, path: path + search, headers, body, ownConnection: true });
  for (const { status, body: said } of await Promise.all([once(), once()])) assert.equal(status, 200, said.toString());
  const answered = await server.untilLogged((line) => line.msg === "answered" && line.path === path, 2);
  assert.equal(new Set(answered.map(({ pid }) => pid)).size, 2, "each worker had one");
}

story("S3: of two clients who end the same upload at once, at two workers, both succeed", async (t) => {
  const scene = await withTwoWorkers(t);
  const { s3, server, user } = scene;
  const client = new MultipartClient(server.lfsUrl(REPOSITORY));
  const { parts = [], commit, verify } = (await client.actions(IN_TWO)) ?? assert.fail();
  assert.ok(commit !== undefined && verify !== undefined);
  for (const part of parts) assert.equal((await client.sendPart(part, IN_TWO.bytes)).status, 200);
  /** Neither gets ahead of the other. */
  const meet = (): void => void s3.fault({ operation: "CompleteMultipartUpload", times: 2 }, { hold: meeting(2) });

  meet();
  const joining = await scene.askedDuring(() => twice(server, "POST", commit.href, ""));
  assert.deepEqual(joining["CompleteMultipartUpload"]?.toSorted(), [200, 404]);

  meet();
  const { oid, size } = IN_TWO;
  const publishing = await scene.askedDuring(() => twice(server, "POST", verify.href, JSON.stringify({ oid, size })));
  assert.deepEqual(publishing["CompleteMultipartUpload"]?.toSorted(), [200, 412]);

  assert.ok(await isThere(user, REPOSITORY, IN_TWO));
  assert.deepEqual(await scene.contents(), { oids: [oid], waiting: [] });
  assert.deepEqual(scene.unfinished, []);
});

story("S3: of two clients who send the same object at once, to two workers, both succeed", async (t) => {
  const scene = await withTwoWorkers(t);
  const { s3, server, user } = scene;
  for (const [{ oid, size, bytes }, operation] of [
    [SMALL, "PutObject"],
    [LARGE, "CompleteMultipartUpload"],
  ] as const) {
    const path = await user.target(REPOSITORY, "upload", { oid, size });
    s3.fault({ operation, times: 2 }, { hold: meeting(2) });
    const asked = await scene.askedDuring(() => twice(server, "PUT", path, bytes));
    assert.deepEqual(asked[operation]?.toSorted(), [200, 412], "it is stored once");
  }
  assert.deepEqual((await scene.contents()).oids.toSorted(), [SMALL.oid, LARGE.oid].toSorted());
  assert.deepEqual(scene.unfinished, []);
});
