import assert from "node:assert/strict";
import { copyFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ListLocksResponse } from "@holdall/lfs-protocol";
import { message, refusal } from "../support/messages.ts";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { refusedStart } from "./support/refused-start.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const MIB = 1024 * 1024;
const REPOSITORY = "team/app";
const MOST_LOCKS = 2000;

story("a database on a full disk answers 507, loses nothing, reads on, and writes when there is room", async (t) => {
  const disk = await SmallDisk.mount(t, "16m");
  if (disk === undefined) return;
  const server = await Server.start(t, { under: disk.enter, data: join(disk.path, "data") });
  const user = server.user();
  const object = seededObject(1, MIB);
  await user.upload(REPOSITORY, object.bytes);

  const giveBack = await disk.fill(await free(disk));
  // SQLite's log may still have room of its own.
  const granted: string[] = [];
  for (;;) {
    const path = `locked/${granted.length}.bin`;
    const answer = await user.post(`${REPOSITORY}/locks`, { path });
    if (answer.status !== 201) {
      assert.match(refusal(507, answer).message, /full/);
      break;
    }
    granted.push(path);
    assert.ok(granted.length < MOST_LOCKS, "the disk fills up");
  }
  await assertDownloads(user, REPOSITORY, [object]);
  const other = seededObject(2, MIB);
  refusal(507, await user.tryUpload(REPOSITORY, other.bytes));

  await giveBack();
  await user.upload(REPOSITORY, other.bytes);
  const late = await user.lock(REPOSITORY, "late.bin");
  await server.stop();
  await assertIntact(t, disk);
  await server.restart();
  const again = server.user();
  await assertDownloads(again, REPOSITORY, [object, other]);
  const { locks } = message(ListLocksResponse, 200, await again.get(`${REPOSITORY}/locks?limit=${MOST_LOCKS}`));
  assert.deepEqual(locks.map(({ path: locked }) => locked).sort(), [...granted, late.path].sort());
  await server.stop();
});

for (const kind of ["new", "used"]) {
  story(`a server whose ${kind} data folder is on a full disk says so when it cannot start`, async (t) => {
    const disk = await SmallDisk.mount(t, "1m");
    if (disk === undefined) return;
    const data = join(disk.path, "data");
    if (kind === "used") {
      const server = await Server.start(t, { under: disk.enter, data });
      // Who has written closes the log of the database behind them; who has only read leaves it, and could start again.
      await server.user().lock(REPOSITORY, "a.bin");
      await server.stop();
    }
    await disk.fill(await free(disk));
    const line = await refusedStart(["--data", data, "--listen", "127.0.0.1:0"], { under: disk.enter });
    assert.match(line, /full.*free or add space/i);
  });
}

async function free(disk: SmallDisk): Promise<number> {
  const { bavail, bsize } = await statfs(disk.outside);
  return bavail * bsize;
}

async function assertIntact(t: Parameters<typeof temporaryFolder>[0], disk: SmallDisk): Promise<void> {
  const copy = join(await temporaryFolder(t, "copy"), "holdall.db");
  await copyFile(join(disk.outside, "data", "holdall.db"), copy);
  using database = new DatabaseSync(copy);
  assert.deepEqual({ ...database.prepare("pragma integrity_check").get() }, { integrity_check: "ok" });
  assert.deepEqual(database.prepare("pragma foreign_key_check").all(), []);
}
