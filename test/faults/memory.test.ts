import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { answerTo, headOf, open } from "../support/http.ts";
import { requireRoom } from "../support/require.ts";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { assertLittleMemory, requirePeakMemory } from "./support/memory.ts";
import { story } from "./support/story.ts";
import { Upload } from "./support/uploads.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const REPOSITORY = "team/app";

story("64 uploads of 64 MiB at once take little memory", async (t) => {
  if (!requirePeakMemory(t) || !(await requireRoom(t, 6 * GIB))) return;
  const server = await Server.start(t);
  // All of one object: each is received, hashed and written all the same, and the test itself needs little memory.
  const object = seededObject(1, 64 * MIB);
  const uploads = await Upload.beginAll(server.user(), REPOSITORY, Array<typeof object>(64).fill(object));
  const statuses = await Promise.all(uploads.map((upload) => upload.finish()));
  assert.deepEqual(new Set(statuses), new Set([200]));
  await assertLittleMemory(t, server.pid);
  await server.stop();
});

const DOWNLOADS = 16;
const SIZE = 2 * GIB;
/** What each reader reads; past the first few MiB nothing changes. */
const READ = 128 * MIB;

story("16 downloads of 2 GiB by slow readers take little memory", async (t) => {
  if (!requirePeakMemory(t) || !(await requireRoom(t, 3 * GIB))) return;
  const server = await Server.start(t);
  const user = server.user();
  const oid = await uploadZeros(server);
  const path = await user.target(REPOSITORY, "download", { oid, size: SIZE });
  const readers = Array.from({ length: DOWNLOADS }, async () => {
    const incoming = await headOf(open({ port: server.port, method: "GET", path, ownConnection: true }).end());
    assert.equal(incoming.headers["content-length"], String(SIZE));
    await readSlowly(incoming);
  });
  await Promise.all(readers);
  await assertLittleMemory(t, server.pid);
  await server.stop();
});

async function uploadZeros(server: Server): Promise<string> {
  const hash = createHash("sha256");
  for (const piece of zeros()) hash.update(piece);
  const oid = hash.digest("hex");
  const path = await server.user().target(REPOSITORY, "upload", { oid, size: SIZE });
  const sending = open({ port: server.port, method: "PUT", path, headers: { "Content-Length": String(SIZE) } });
  const answer = answerTo(sending);
  await pipeline(zeros(), sending);
  assert.equal((await answer).status, 200);
  return oid;
}

function* zeros(): Generator<Buffer> {
  const piece = Buffer.alloc(MIB);
  for (let left = SIZE; left > 0; left -= piece.length) yield piece;
}

/** A little at a time, with others in between: the server has always more ready than is taken. */
async function readSlowly(incoming: IncomingMessage): Promise<void> {
  let read = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    read += piece.length;
    if (read >= READ) break;
    await new Promise((next) => setTimeout(next, 1));
  }
}
