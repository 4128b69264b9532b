import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { sha256 } from "../support/content.ts";
import { Server } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { story } from "./support/story.ts";
import { type SystemCall, SystemCalls } from "./support/system-calls.ts";

const WRITES = ["write", "writev", "pwrite64", "pwritev"];
const SYNCS = ["fsync", "fdatasync"];

story("an upload is on the disk, with its name and its link, before the client hears of it", async (t) => {
  const watched = await SystemCalls.watch(t, [...WRITES, ...SYNCS, "link", "mkdir"]);
  if (watched === undefined) return;
  const folder = await temporaryFolder(t, "durable");
  const [data, store] = [join(folder, "new/data"), join(folder, "other/store")];
  const server = await Server.start(t, { data, args: ["--store", `file://${store}`], under: watched.under });
  const [first, second] = [Buffer.from("makes the repository and the folders"), Buffer.from("finds them made")];
  for (const bytes of [first, second]) await server.user().upload("team/app", bytes);
  const { pid } = server;
  await server.stop();
  const calls = await watched.calls(pid);

  const log = join(data, "holdall.db-wal");
  for (const bytes of [first, second]) {
    const oid = sha256(bytes);
    const object = join(store, "objects", oid.slice(0, 2), oid.slice(2, 4), oid);
    const named = only(calls, "link", `, "${object}"`);
    // The batch is answered before, so this is the upload's.
    const answered = writes(calls, '"HTTP/1.1 200').find(({ began }) => began > named.ended) ?? assert.fail();

    const temporary = /^"([^"]+)"/.exec(named.args)?.[1] ?? assert.fail(named.args);
    const written = writes(calls, `<${temporary}>`).at(-1) ?? assert.fail();
    assertSynced(calls, temporary, written, named);
    assertSynced(calls, dirname(object), named, answered);
    for (let made = dirname(object); made !== folder; made = dirname(made)) {
      assertSynced(calls, dirname(made), only(calls, "mkdir", `"${made}"`), answered);
    }
    const recorded = writes(calls, `<${log}>`).findLast(({ ended }) => ended < answered.began);
    assert.ok(
      recorded !== undefined && recorded.began > named.ended,
      "the link is recorded once the bytes have a name",
    );
    assertSynced(calls, log, recorded, answered);
    assertSynced(calls, dirname(data), only(calls, "mkdir", `"${data}"`), answered);
  }
});

/** The one call of that name that succeeded with these arguments. */
function only(calls: readonly SystemCall[], name: string, args: string): SystemCall {
  const found = calls.filter((call) => call.name === name && call.args.includes(args) && !call.args.includes("= -1"));
  assert.equal(found.length, 1, `${name} ${args}`);
  return found[0] ?? assert.fail();
}

function writes(calls: readonly SystemCall[], args: string): SystemCall[] {
  return calls.filter((call) => WRITES.includes(call.name) && call.args.includes(args));
}

/** That the file or folder was synced after the one and before the other. */
function assertSynced(calls: readonly SystemCall[], path: string, after: SystemCall, before: SystemCall): void {
  const synced = calls.some(
    ({ name, args, began, ended }) =>
      SYNCS.includes(name) && args.includes(`<${path}>`) && began > after.ended && ended < before.began,
  );
  assert.ok(synced, `${path} is synced after ${after.name} ${after.args} and before ${before.name} ${before.args}`);
}
