import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readlink } from "node:fs/promises";
import { platform } from "node:os";
import { after, test, type TestContext } from "node:test";
import { FaultyLayer, type ObjectStore } from "@holdall/object-store";
import { seededBytes } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import { headOf, open } from "../support/http.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { skip } from "../support/require.ts";
import { WireServer } from "./support/wire-server.ts";

const SIZE = 64 * 1024 * 1024;
const BYTES = seededBytes(1, SIZE);

/** Released by a test that has told the store to wait. */
let gate: PromiseWithResolvers<never> | undefined;

const server = await WireServer.start({
  store: "fs",
  layer: (store: ObjectStore) =>
    new FaultyLayer(store, (call) => {
      if (call !== "get" || gate === undefined) return undefined;
      return { call, moment: { at: "body", bytes: 2 * 1024 * 1024 }, error: gate.promise };
    }),
});
after(() => server[Symbol.asyncDispose]());
const user = server.as();
const OID = await user.upload("app", BYTES);
const PATH = await user.target("app", "download", { oid: OID });

/** False, and the test skipped, where descriptors cannot be told from each other. */
function canCountOpenFiles(t: TestContext): boolean {
  if (platform() === "linux") return true;
  skip(t, "only Linux tells which files a process has open");
  return false;
}

/** How many times this process has the object open. */
async function openFiles(): Promise<number> {
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "closed meanwhile")),
  );
  return links.filter((link) => link.includes(OID)).length;
}

/** The log lines of answers that nobody got to the end of. */
function cuts(): string[] {
  return server.log.filter((line) => line.includes("closed before the answer was complete"));
}

test("a client that reads slowly costs no memory", async () => {
  const readers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const incoming = await headOf(open({ port: server.port, method: "GET", path: PATH }).end());
      // Nothing is read, so nothing more than buffers of the system can leave the server.
      incoming.pause();
      return incoming;
    }),
  );
  const before = process.memoryUsage().arrayBuffers;
  let peak = before;
  for (const reader of readers) {
    // Small sips, while the server would have all the time to read ahead.
    for (let sip = 0; sip < 20; sip += 1) {
      if (reader.read(16 * 1024) === null) await once(reader, "readable");
      await new Promise(setImmediate);
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    }
  }
  for (const reader of readers) reader.destroy();

  assert.ok(peak - before < SIZE, `${(peak - before) / 1024 ** 2} MiB more for 8 readers of 64 MiB`);
});

test("a client that goes away in the middle gives the file back", async (t) => {
  if (!canCountOpenFiles(t)) return;
  for (const leave of ["destroy", "resetAndDestroy", "end"] as const) {
    using connection = await RawConnection.open(server.port);
    connection.socket.pause();
    connection.head(`GET ${PATH} HTTP/1.1`, "Host: x");
    await eventually("the object is open", async () => (await openFiles()) === 1);

    connection.socket[leave]();
    // Who only stops sending may still want to read.
    if (leave === "end") connection.socket.destroy();

    await eventually("the object is closed", async () => (await openFiles()) === 0);
  }
});

test("a client that goes away while the store is being waited for gives the file back", async (t) => {
  if (!canCountOpenFiles(t)) return;
  gate = Promise.withResolvers<never>();
  try {
    using connection = await RawConnection.open(server.port);
    connection.head(`GET ${PATH} HTTP/1.1`, "Host: x");
    // All that the store has given so far has arrived, so the server waits for the store and not for the client.
    await eventually("the first bytes have come", () => connection.text.length > 2 * 1024 * 1024);
    const before = cuts().length;
    connection.socket.destroy();
    await eventually("the server has noticed", () => cuts().length > before);
    assert.equal(await openFiles(), 1);
  } finally {
    gate.reject(new Error("given up"));
    gate = undefined;
  }
  await eventually("the object is closed", async () => (await openFiles()) === 0);
});

test("a download that is cut is in the log as one, with its client's address", async () => {
  const before = cuts().length;
  using connection = await RawConnection.open(server.port);
  connection.head(`GET ${PATH} HTTP/1.1`, "Host: x");
  await connection.until(/\r\n\r\n/);
  connection.socket.destroy();

  await eventually("the request is logged", () => cuts().length > before);

  assert.match(cuts().at(-1) ?? "", /"method":"GET".*"ip":"127\.0\.0\.1"/);
});

test("a download goes on although the object is removed meanwhile", async () => {
  const oid = await user.upload("app", BYTES.subarray(1));
  const path = await user.target("app", "download", { oid });
  const incoming = await headOf(open({ port: server.port, method: "GET", path }).end());
  await server.store.delete(await server.keyOf(oid));

  const body = Buffer.concat(await incoming.toArray());

  assert.ok(body.equals(BYTES.subarray(1)));
});
