import assert from "node:assert/strict";
import { Gate } from "../support/proxy.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { download } from "./support/downloads.ts";
import { S3Scene } from "./support/s3-scene.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

// How long a store may take, the adapters know, and their own tests hold them to it with patience of a tenth of a second: a
// connection on which nothing moves for 50 seconds (S3, Azure) or 30 (Google) is a failure, and what has taken so long is not
// begun again.

const MIB = 1024 ** 2;
const REPOSITORY = "team/app";
const THERE = seededObject(1, 100_000);

/** One that goes to the store in one request, and one that goes in two parts. */
function twoObjects(seed: number): readonly [SeededObject, SeededObject] {
  return [seededObject(seed, 100_000), seededObject(seed + 1, 8 * MIB + 1000)];
}

async function assertServed({ user }: S3Scene, object: SeededObject): Promise<void> {
  assert.equal((await user.get("healthz")).status, 200);
  await user.upload(REPOSITORY, object.bytes);
  await assertDownloads(user, REPOSITORY, [THERE, object]);
}

async function assertHolds(scene: S3Scene, objects: readonly SeededObject[]): Promise<void> {
  const oids = objects.map(({ oid }) => oid).toSorted();
  assert.deepEqual(await scene.contents(), { oids, waiting: [] });
}

story("S3: those who wait for a slow store get what they want, and meanwhile others are served", async (t) => {
  const scene = await S3Scene.start(t);
  const { s3, user } = scene;
  await user.upload(REPOSITORY, THERE.bytes);
  const there = [THERE];
  for (const [what, when, seed] of [
    ["has not begun", "hold", 10],
    ["has done everything, and does not say so", "holdAnswer", 20],
  ] as const) {
    await t.test(`a store that ${what}`, async () => {
      const gateAt = (operation: "GetObject" | "PutObject" | "UploadPart" | "CompleteMultipartUpload"): Gate => {
        const gate = new Gate();
        s3.fault({ operation }, { [when]: () => gate.pass() });
        return gate;
      };
      const [get, put, part, completion] = [
        gateAt("GetObject"),
        gateAt("PutObject"),
        gateAt("UploadPart"),
        gateAt("CompleteMultipartUpload"),
      ];
      const coming = twoObjects(seed);
      let answers = 0;
      const count = (): void => void (answers += 1);
      const uploads = coming.map(({ bytes }) => user.upload(REPOSITORY, bytes).finally(count));
      const downloading = download(user, REPOSITORY, THERE).finally(count);
      const others = [seededObject(seed + 5, 1000), seededObject(seed + 6, 1000)] as const;

      await Promise.all([get.reached, put.reached, part.reached]);
      await assertServed(scene, others[0]);
      part.open();
      await completion.reached;
      await assertServed(scene, others[1]);
      assert.equal(answers, 0);

      for (const gate of [get, put, completion]) gate.open();
      await Promise.all(uploads);
      assert.ok((await downloading).body.equals(THERE.bytes));
      await assertDownloads(user, REPOSITORY, coming);
      there.push(...coming, ...others);
    });
  }
  await assertHolds(scene, there);
  assert.deepEqual(scene.unfinished, []);
});

story("S3: clients do not wait for ever for a store that never answers, and others are served", async (t) => {
  const scene = await S3Scene.start(t, { config: { limits: { idleTimeout: "1s" } } });
  const { s3, server, user } = scene;
  await user.upload(REPOSITORY, THERE.bytes);
  for (const operation of ["GetObject", "PutObject", "UploadPart"] as const) {
    s3.fault({ operation }, { hold: () => new Promise(() => {}) });
  }
  const coming = twoObjects(10);

  const transfers = [
    ...coming.map(({ bytes }) => user.tryUpload(REPOSITORY, bytes)),
    download(user, REPOSITORY, THERE),
  ];
  await Promise.all(transfers.map((transfer) => assert.rejects(transfer, { code: "ECONNRESET" })));
  await server.untilLogged("the connection closed before the answer was complete", transfers.length);

  const other = seededObject(2, 1000);
  await assertServed(scene, other);
  await assertHolds(scene, [THERE, other]);
  for (const { bytes } of coming) await user.upload(REPOSITORY, bytes);
  await assertDownloads(user, REPOSITORY, [THERE, other, ...coming]);
});
