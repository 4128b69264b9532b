import assert from "node:assert/strict";
import { RawConnection } from "../support/raw-connection.ts";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const REPOSITORY = "team/app";
const HEADERS = 500;
const BODIES = 200;
const BYTE_EVERY_MS = 100;

story("clients that send their headers byte by byte are cut off, and others are served meanwhile", async (t) => {
  const server = await Server.start(t, { config: { limits: { headersTimeout: "1s" } } });
  const user = server.user();
  const slowHeaders = await RawConnection.openMany(server.port, HEADERS);
  const head = `GET /${"x".repeat(1000)}`;
  const object = seededObject(1, 100_000);
  const path = await user.target(REPOSITORY, "upload", { oid: object.oid, size: object.size });
  const slowBodies = await RawConnection.openMany(server.port, BODIES);
  for (const connection of slowBodies)
    connection.head(`PUT ${path} HTTP/1.1`, "Host: holdall.test", `Content-Length: ${object.size}`);
  let sent = 0;
  const timer = setInterval(() => {
    for (const connection of slowHeaders) connection.write(head.charAt(sent));
    for (const connection of slowBodies) connection.write(object.bytes.subarray(sent, sent + 1));
    sent += 1;
  }, BYTE_EVERY_MS);
  try {
    let served = 0;
    while (served === 0 || slowHeaders.some(({ socket }) => !socket.destroyed)) {
      const other = seededObject(100 + served, 50_000);
      await user.upload(REPOSITORY, other.bytes);
      await assertDownloads(user, REPOSITORY, [other]);
      served += 1;
    }
    t.diagnostic(`${served} others were served before the last of them was cut off`);
    assert.ok(
      slowBodies.every(({ socket }) => !socket.destroyed),
      "a transfer may take as long as it takes, as long as it moves",
    );
  } finally {
    clearInterval(timer);
    for (const connection of [...slowHeaders, ...slowBodies]) connection[Symbol.dispose]();
  }
  await user.upload(REPOSITORY, object.bytes);
  await server.stop();
});

story("an upload that stops moving is cut off after idleTimeout", async (t) => {
  const server = await Server.start(t, { config: { limits: { idleTimeout: "1s" } } });
  const user = server.user();
  const { oid, size, bytes } = seededObject(1, 100_000);
  using connection = await RawConnection.open(server.port);
  const path = await user.target(REPOSITORY, "upload", { oid, size });
  connection.head(`PUT ${path} HTTP/1.1`, "Host: holdall.test", `Content-Length: ${size}`);
  connection.write(bytes.subarray(0, 1000));
  await connection.closed();
  await user.upload(REPOSITORY, bytes);
});
