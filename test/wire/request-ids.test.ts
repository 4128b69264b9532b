import assert from "node:assert/strict";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { LockResponse } from "@holdall/lfs-protocol";
import { seededBytes } from "../support/content.ts";
import { message, refusal } from "../support/messages.ts";
import { Server } from "../support/server.ts";

const EVERYONE_WRITES = { access: [{ who: "users", repositories: "**", right: "write" }] };

test("what the log says of an event has the id of the request in which it came about", async (t) => {
  const server = await Server.start(t, { config: EVERYONE_WRITES });
  await server.addUser("ada", "ada's password");
  await server.addUser("root", "root's password", { admin: true });
  const ada = server.user("ada:ada's password");
  const root = server.user("root:root's password");
  const bytes = seededBytes(1, 5000);

  const oid = await ada.upload("team/app", bytes);
  const object = `/team/app.git/info/lfs/objects/${oid}`;
  await expectEvent(server, "repository created", "PUT", object);

  const { id } = await ada.lock("team/app", "a file");
  message(LockResponse, 200, await root.post(`team/app/locks/${id}/unlock`, { force: true }));
  await expectEvent(server, "lock taken away by force", "POST", `/team/app/locks/${id}/unlock`);

  await truncate(join(server.data, "store/objects", oid.slice(0, 2), oid.slice(2, 4), oid), 4000);
  const { request_id: told } = refusal(500, await ada.download("team/app", { oid }));
  assert.equal(await expectEvent(server, "object damaged or missing in the store", "GET", object), told);

  await ada.upload("team/app", bytes);
  await expectEvent(server, "damaged object replaced by a good copy", "PUT", object);

  await ada.lock("team/other", "a file");
  await expectEvent(server, "repository created", "POST", "/team/other/locks", 2);
});

/** The id that the log's last such line has, which must be that of this request's line. */
async function expectEvent(server: Server, event: string, method: string, path: string, count = 1): Promise<string> {
  const { reqId } = (await server.untilLogged(event, count)).at(-1) ?? {};
  assert.ok(reqId !== undefined, `"${event}" names its request`);
  const [answered] = await server.untilLogged((line) => line.msg === "answered" && line.reqId === reqId);
  assert.deepEqual([answered?.method, answered?.path], [method, path]);
  return reqId;
}
