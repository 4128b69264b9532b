import assert from "node:assert/strict";
import { atEnd } from "../support/at-end.ts";
import { RawConnection, statusOf } from "../support/raw-connection.ts";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { inMib, peakMemory, requirePeakMemory } from "./support/memory.ts";
import { requireOpenFiles } from "./support/open-files.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const CONNECTIONS = 10_000;
/** So many of them ask at a time. */
const AT_ONCE = 250;
/** Bytes. A bare server of Node takes about 15 KiB for each. */
const MEMORY_FOR_EACH = 24 * 1024;
const REPOSITORY = "team/app";

story("10,000 idle connections keep nobody from being served, in little memory", async (t) => {
  if (!requirePeakMemory(t) || !(await requireOpenFiles(t, CONNECTIONS))) return;
  // Longer than the story takes: they are to be there all the time.
  const server = await Server.start(t, { config: { limits: { headersTimeout: "4m", keepAliveTimeout: "4m" } } });
  const alone = await peakMemory(server.pid);
  const idle = await RawConnection.openMany(server.port, CONNECTIONS);
  atEnd(t, () => idle.forEach(({ socket }) => socket.destroy()));
  // Half of them have never said a word, half have had an answer and may have another.
  for (let from = 0; from < CONNECTIONS / 2; from += AT_ONCE) {
    await Promise.all(idle.slice(from, from + AT_ONCE).map(askOnce));
  }

  const objects = [1, 2, 3].map((seed) => seededObject(seed, 1024 * 1024));
  for (const { bytes } of objects) await server.user().upload(REPOSITORY, bytes);
  await assertDownloads(server.user(), REPOSITORY, objects);
  assert.equal(idle.filter(({ socket }) => socket.destroyed).length, 0, "they are still open");
  const peak = await peakMemory(server.pid);
  t.diagnostic(`peak memory of the server: ${inMib(peak)}, ${inMib(alone)} without connections`);
  assert.ok(
    (peak - alone) / CONNECTIONS < MEMORY_FOR_EACH,
    `${(peak - alone) / CONNECTIONS} bytes for each connection`,
  );
  await server.stop();
});

async function askOnce(connection: RawConnection): Promise<void> {
  connection.head("GET /healthz HTTP/1.1", "Host: holdall.test");
  assert.equal(statusOf(await connection.until(/\r\n\r\n/)), 200);
}
