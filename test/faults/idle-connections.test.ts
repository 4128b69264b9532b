import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { atEnd } from "../support/cleanup.ts";
import { inMib, peakMemory, requirePeakMemory } from "./support/memory.ts";
import { requireOpenFiles } from "./support/open-files.ts";
import { Serving } from "./support/serving.ts";
import { story } from "./support/story.ts";
import { assertDownloads, seededObject } from "./support/uploads.ts";

const CONNECTIONS = 10_000;
/** Fewer than a listening socket queues, so that none has to be tried twice. */
const AT_ONCE = 250;
/** Bytes. A bare server of Node takes about 15 KiB for each. */
const MEMORY_FOR_EACH = 20 * 1024;
const REPOSITORY = "team/app";

story("10,000 idle connections keep nobody from being served, in little memory", async (t) => {
  if (!requirePeakMemory(t) || !(await requireOpenFiles(t, CONNECTIONS))) return;
  // Longer than the story takes: they are to be there all the time.
  const server = await Serving.start(t, { config: { limits: { headersTimeout: "4m", keepAliveTimeout: "4m" } } });
  const alone = await peakMemory(server.pid);
  const idle: Socket[] = [];
  let closed = 0;
  atEnd(t, () => idle.forEach((socket) => socket.destroy()));
  while (idle.length < CONNECTIONS) {
    const some = Array.from({ length: AT_ONCE }, () => connect(server.port, "127.0.0.1"));
    await Promise.all(some.map((socket) => once(socket, "connect")));
    for (const socket of some) socket.once("close", () => (closed += 1));
    idle.push(...some);
  }
  // Half of them have never said a word, half have had an answer and may have another.
  for (let from = 0; from < CONNECTIONS / 2; from += AT_ONCE) {
    await Promise.all(idle.slice(from, from + AT_ONCE).map(askOnce));
  }

  const objects = [1, 2, 3].map((seed) => seededObject(seed, 1024 * 1024));
  for (const { bytes } of objects) await server.user().upload(REPOSITORY, bytes);
  await assertDownloads(server.user(), REPOSITORY, objects);
  assert.equal(closed, 0, "they are still open");
  const peak = await peakMemory(server.pid);
  t.diagnostic(`peak memory of the server: ${inMib(peak)}, ${inMib(alone)} without connections`);
  assert.ok(
    (peak - alone) / CONNECTIONS < MEMORY_FOR_EACH,
    `${(peak - alone) / CONNECTIONS} bytes for each connection`,
  );
  await server.stop();
});

async function askOnce(socket: Socket): Promise<void> {
  socket.write("GET /healthz HTTP/1.1\r\nHost: holdall.test\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
}
