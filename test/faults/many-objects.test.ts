import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

const OBJECTS = 1_000_000;
const REPOSITORY = "team/app";
/** More than the pages that a start looks at, less than a look at them all. */
const READ_LIMIT = 16 * 1024 * 1024;

story("a server that knows a million objects starts without looking at them", async (t) => {
  const server = await Server.start(t);
  const object = seededObject(1, 1000);
  await server.user().upload(REPOSITORY, object.bytes);
  const readWhenEmpty = await bytesRead(server);
  await server.stop();
  addObjects(join(server.data, "holdall.db"));

  const began = performance.now();
  await server.restart();
  await assertDownloads(server.user(), REPOSITORY, [object]);
  t.diagnostic(`first download ${Math.round(performance.now() - began)} ms after the start`);
  const read = await bytesRead(server);
  if (read !== undefined && readWhenEmpty !== undefined) {
    t.diagnostic(`read ${read} bytes, ${readWhenEmpty} when it was empty`);
    assert.ok(read - readWhenEmpty < READ_LIMIT, `${read - readWhenEmpty} bytes more than when it was empty`);
  }
  const asked = [
    { oid: oidOf(0), size: 0 },
    { oid: oidOf(OBJECTS - 1), size: OBJECTS - 1 },
  ];
  const known = await server.user().batch(REPOSITORY, "download", asked);
  assert.deepEqual(
    known.map(({ actions }) => actions?.download !== undefined),
    [true, true],
  );
  await server.stop();
});

/** As a million uploads would have left the database. */
function addObjects(file: string): void {
  using database = new DatabaseSync(file);
  const { id } = database.prepare("select id from repositories where name = ?").get(REPOSITORY) as { id: number };
  // The order of keys is that of numbers, which fills the tables many times faster than that of hashes.
  const count = `with recursive n (i) as (select 0 union all select i + 1 from n where i < ${OBJECTS - 1})`;
  database.exec(`begin;
    insert into objects (oid, size) ${count} select unhex(printf('%064x', i)), i from n;
    insert into links (repository_id, oid, size, linked_at) ${count} select ${id}, unhex(printf('%064x', i)), i, 0 from n;
    commit`);
}

function oidOf(number: number): string {
  return number.toString(16).padStart(64, "0");
}

/** All that the process has read so far, program included; undefined where the system does not say. */
async function bytesRead({ pid }: Server): Promise<number | undefined> {
  if (process.platform !== "linux") return undefined;
  return Number(/^rchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, "utf8"))?.[1]);
}
