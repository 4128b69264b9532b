import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { seededObjects, type SeededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { soundObjects, temporaries } from "../support/store-folder.ts";
import { story } from "./support/story.ts";
import { assertDownloads, Upload, uploadMissing } from "./support/uploads.ts";

const UPLOADS = 50;
const REPOSITORY = "team/app";
const WORKERS = { config: { workers: 2 } };

story(
  "when a worker is killed with -9, the other serves on, a new one comes, and repeated uploads succeed",
  async (t) => {
    const server = await Server.start(t, WORKERS);
    const acknowledged: SeededObject[] = [];
    let workers = await server.untilLogged("worker serves", 2);

    for (const [round, killAfter] of [5, 20].entries()) {
      const objects = seededObjects(round, UPLOADS);
      const uploads = await Upload.beginAll(server.user(), REPOSITORY, objects);
      const first = await Promise.all(uploads.slice(0, killAfter).map((upload) => upload.finish()));
      assert.ok(first.every((status) => status === 200));
      process.kill(workers[round]?.pid ?? assert.fail(), "SIGKILL");
      workers = await server.untilLogged("worker serves", workers.length + 1);

      const rest = await Promise.all(uploads.slice(killAfter).map((upload) => upload.finish()));
      // The connections that the killed one had are broken, which tells its clients at once to try again.
      assert.ok(rest.includes(undefined) && rest.includes(200), rest.join());
      assert.ok(
        rest.every((status) => status === undefined || status === 200),
        rest.join(),
      );
      const done = [...first, ...rest].map((status) => status === 200);
      acknowledged.push(...objects.filter((_, index) => done[index]));

      await uploadMissing(server.user(), REPOSITORY, objects);
      await assertDownloads(server.user(), REPOSITORY, objects);
    }
    await assertDownloads(server.user(), REPOSITORY, acknowledged);
    await server.stop();
  },
);

story(
  "when the primary is killed with -9, its workers go too, and a new start finds all that was acknowledged",
  async (t) => {
    const server = await Server.start(t, WORKERS);
    const store = join(server.data, "store");
    const workers = await server.untilLogged("worker serves", 2);
    const objects = seededObjects(1, UPLOADS);
    const uploads = await Upload.beginAll(server.user(), REPOSITORY, objects);
    await Promise.all(uploads.slice(0, 20).map((upload) => upload.finish()));

    await server.kill();
    await Promise.all(uploads.slice(20).map((upload) => upload.finish()));
    for (const { pid } of workers) await eventually(`worker ${pid} has gone`, () => !isAlive(pid));

    await server.restart();
    assert.deepEqual(await temporaries(store), []);
    await soundObjects(store);
    await assertDownloads(server.user(), REPOSITORY, objects.slice(0, 20));
    await uploadMissing(server.user(), REPOSITORY, objects);
    await server.stop();
  },
);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
