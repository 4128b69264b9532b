import assert from "node:assert/strict";
import { join } from "node:path";
import { seededObjects, type SeededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { soundObjects, temporaries } from "../support/store-folder.ts";
import { story } from "./support/story.ts";
import { assertDownloads, Upload, uploadMissing } from "./support/uploads.ts";

const UPLOADS = 50;
/** So many of them have sent a part of their bodies when the server is killed, and no more. */
const HALF_SENT = 5;
const REPOSITORY = "team/app";

story("after kill -9 amid 50 uploads, all that was acknowledged is there, and nothing that is not whole", async (t) => {
  const server = await Server.start(t);
  const store = join(server.data, "store");
  const acknowledged: SeededObject[] = [];

  for (const [round, killAfter] of [1, 12, 37].entries()) {
    const uploads = await Upload.beginAll(server.user(), REPOSITORY, seededObjects(round, UPLOADS));
    const halfSent = uploads.splice(-HALF_SENT);
    await Promise.all(halfSent.map((upload) => upload.send(0, middle(upload))));
    let left = killAfter;
    const statuses = await Promise.all(
      uploads.map(async (upload) => {
        const status = await upload.finish();
        if (status === 200) acknowledged.push(upload.object);
        if (status === 200 && --left === 0) await server.kill();
        return status;
      }),
    );
    assert.ok(left <= 0, `${killAfter} uploads were acknowledged before the kill: ${statuses.join()}`);
    for (const upload of halfSent) assert.equal(await upload.finish(middle(upload)), undefined);

    await server.restart();
    assert.deepEqual(await temporaries(store), [], "the sweep at the start removes what was unfinished");
    const visible = await soundObjects(store);
    assert.ok(acknowledged.every(({ oid }) => visible.includes(oid)));
    await assertDownloads(server.user(), REPOSITORY, acknowledged);
  }

  const all = seededObjects(0, UPLOADS);
  await uploadMissing(server.user(), REPOSITORY, all);
  await assertDownloads(server.user(), REPOSITORY, all);
  await server.stop();
});

function middle({ object }: Upload): number {
  return Math.floor(object.size / 2);
}
