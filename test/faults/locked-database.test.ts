import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { refusal } from "../support/messages.ts";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const REPOSITORY = "team/app";

story(
  "while another process keeps the database locked, writers are told when to come back and readers are served",
  async (t) => {
    const server = await Server.start(t);
    const user = server.user();
    const known = seededObject(1, 200_000);
    await user.upload(REPOSITORY, known.bytes);
    const other = seededObject(2, 200_000);
    const path = await user.target(REPOSITORY, "upload", { oid: other.oid, size: other.size });

    using intruder = new DatabaseSync(join(server.data, "holdall.db"));
    intruder.exec("begin exclusive");
    const writes = [
      user.request("PUT", path, { body: other.bytes }),
      user.post(`${REPOSITORY}/locks`, { path: "a.bin" }),
    ];
    await assertDownloads(user, REPOSITORY, [known]);
    assert.equal((await user.get("readyz")).status, 200);
    for (const answer of await Promise.all(writes)) {
      refusal(429, answer);
      assert.match(answer.headers["retry-after"] ?? "", /^[1-9]\d*$/);
    }
    await assertDownloads(user, REPOSITORY, [known]);

    intruder.exec("rollback");
    await user.upload(REPOSITORY, other.bytes);
    await user.lock(REPOSITORY, "a.bin");
    await assertDownloads(user, REPOSITORY, [known, other]);
    await server.stop();
  },
);

story("an upload that is under way while the database is locked for a moment succeeds", async (t) => {
  const server = await Server.start(t);
  using intruder = new DatabaseSync(join(server.data, "holdall.db"));
  intruder.exec("begin exclusive");
  const uploading = server.user().upload(REPOSITORY, seededObject(1, 200_000).bytes);
  // A repository that is not known yet: all of the database's part of the upload is still to be written.
  await server.user().get("readyz");
  intruder.exec("rollback");
  await uploading;
});
