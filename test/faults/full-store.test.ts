import assert from "node:assert/strict";
import { join } from "node:path";
import { refusal } from "../support/messages.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { soundObjects, temporaries } from "../support/store-folder.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const MIB = 1024 * 1024;
const REPOSITORY = "team/app";

story(
  "on a full disk uploads are refused with 507 and leave nothing, and go on when there is room again",
  async (t) => {
    const disk = await SmallDisk.mount(t, "16m");
    if (disk === undefined) return;
    const server = await Server.start(t, {
      under: disk.enter,
      args: ["--store", `file://${join(disk.path, "store")}`],
    });
    const store = join(disk.outside, "store");
    const user = server.user();
    const kept = seededObject(1, 4 * MIB);
    await user.upload(REPOSITORY, kept.bytes);

    const put = async ({ bytes }: SeededObject): Promise<void> => {
      const { message } = refusal(507, await user.tryUpload(REPOSITORY, bytes));
      assert.match(message, /full/);
    };
    // Four that do not fit by themselves, at once.
    const tooLarge = [2, 3, 4, 5].map((seed) => seededObject(seed, 24 * MIB));
    await Promise.all(tooLarge.map(put));

    assert.deepEqual(await temporaries(store), []);
    assert.deepEqual(await soundObjects(store), [kept.oid]);
    const asked = tooLarge.map(({ oid, size }) => ({ oid, size }));
    const errors = (await user.batch(REPOSITORY, "download", asked)).map(({ error }) => error?.code);
    assert.deepEqual(errors, [404, 404, 404, 404], "what was refused is not linked either");

    const small = seededObject(6, MIB);
    await user.upload(REPOSITORY, small.bytes);
    const giveBack = await disk.fill(10 * MIB);
    const later = seededObject(7, 4 * MIB);
    await put(later);
    await assertDownloads(user, REPOSITORY, [kept, small]);
    await giveBack();
    await user.upload(REPOSITORY, later.bytes);
    await assertDownloads(user, REPOSITORY, [kept, small, later]);
    await server.stop();
  },
);
