import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { sha256 } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import { headOf, open } from "../support/http.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";
import { Upload } from "./support/uploads.ts";

const MIB = 1024 * 1024;
const REPOSITORY = "team/app";
/** More than connections hold on their way, so a reader that stops holds up the server. */
const LARGE = seededObject(1, 64 * MIB);
const SENT = seededObject(2, 16 * MIB);

interface UnderWay {
  readonly upload: Upload;
  readonly download: IncomingMessage;
}

/** An upload and a download, both half-way. */
async function beginTransfers(server: Server): Promise<UnderWay> {
  const user = server.user();
  await user.upload(REPOSITORY, LARGE.bytes);
  const path = await user.target(REPOSITORY, "download", { oid: LARGE.oid, size: LARGE.size });
  const download = await headOf(open({ port: server.port, method: "GET", path }).end());
  // Its end is for each story to look at.
  download.on("error", () => {});
  const upload = await Upload.begin(user, REPOSITORY, SENT);
  await upload.send(0, SENT.size / 2);
  return { upload, download };
}

async function read(download: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await download.toArray());
}

for (const workers of [1, 2]) {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    story(
      `${signal} lets a slow upload and a slow download finish, and exits with 0 (workers: ${workers})`,
      async (t) => {
        const server = await Server.start(t, { config: { workers } });
        const { upload, download } = await beginTransfers(server);

        // To all of the group, as a terminal and a service manager send it.
        server.signalGroup(signal);
        await server.untilLogged("stopping");
        await eventually("no new connection is taken", () => refusesConnections(server.port));
        assert.equal(await upload.finish(SENT.size / 2), 200);
        assert.equal(sha256(await read(download)), LARGE.oid);
        assert.deepEqual(await server.end, { code: 0, signal: null });

        await server.restart();
        await assertThere(server, SENT);
      },
    );
  }

  story(`what is not done after drainTimeout is cut, and the exit code is 0 (workers: ${workers})`, async (t) => {
    const server = await Server.start(t, { config: { workers, limits: { drainTimeout: "500ms" } } });
    const { upload, download } = await beginTransfers(server);
    server.signal("SIGTERM");
    assert.deepEqual(await server.end, { code: 0, signal: null });
    assert.equal(await upload.finish(SENT.size / 2), undefined);
    await assert.rejects(read(download), { code: "ECONNRESET" });
  });

  story(`a second signal ends the server at once (workers: ${workers})`, async (t) => {
    const server = await Server.start(t, { config: { workers } });
    const { upload, download } = await beginTransfers(server);
    server.signal("SIGTERM");
    await server.untilLogged("stopping");
    server.signal("SIGINT");
    assert.deepEqual(await server.end, { code: null, signal: "SIGINT" });
    assert.equal(await upload.finish(SENT.size / 2), undefined);
    await assert.rejects(read(download), { code: "ECONNRESET" });
  });
}

story("a server that has nothing to do stops although clients keep connections open", async (t) => {
  const server = await Server.start(t);
  using _idle = await RawConnection.open(server.port);
  await server.user().get("healthz");
  await server.stop();
});

async function refusesConnections(port: number): Promise<boolean> {
  try {
    using _ = await RawConnection.open(port);
    return false;
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error && error.code === "ECONNREFUSED", String(error));
    return true;
  }
}

async function assertThere(server: Server, { oid, size }: SeededObject): Promise<void> {
  assert.equal((await server.user().ask(REPOSITORY, "upload", { oid, size })).actions, undefined);
}
