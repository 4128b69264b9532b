import type { Operation } from "@holdall/lfs-protocol";
import type { SeededObject } from "../test/support/seeded-objects.ts";
import { atLeast, type Bench, type Outcome } from "./support/bench.ts";
import { ONE_PROCESS, startHoldall } from "./support/holdall.ts";
import { batchBody, JSON_HEADERS, uploadAll } from "./support/lfs-api.ts";
import { markdownTable } from "./support/markdown.ts";
import { KiB, smallObjects } from "./support/objects.ts";
import { startS3 } from "./support/s3-server.ts";
import { named, number, seriesColumns, takeTurns, valuesOf } from "./support/series.ts";
import { median } from "./support/statistics.ts";
import { requestsPerSecond, type WrkRequest } from "./support/wrk.ts";

const OBJECTS = 1000;
const BATCH_SIZE = 100;
const CONNECTIONS = 8;
const LIMIT = 150;

export const signing: Bench = {
  name: "signing",
  title: "Batches of 100 signed links to S3",
  about: `\`wrk\` posts batches of 100 of 1,000 objects to one process with \`--transfer direct\`: downloads of objects that are present,
and uploads of others, whose SHA-256 and size are signed too. Each object gets a signature of its own (SigV4).`,

  async run(stage) {
    const s3 = await startS3(stage);
    const args = ["--store", `s3://${s3.bucket}/signing`, "--transfer", "direct"];
    const server = await startHoldall(stage, await stage.folder("holdall"), 1, { args, env: s3.env });
    const present = smallObjects(OBJECTS, KiB);
    await uploadAll(server.lfsUrl, present);
    const absent = smallObjects(OBJECTS, KiB, OBJECTS);

    const aims: Outcome[] = [];
    const tables: string[] = [];
    for (const [operation, objects] of [
      ["download", present],
      ["upload", absent],
    ] as const) {
      const load = {
        requests: requestsTo(server.lfsUrl, operation, objects),
        connections: CONNECTIONS,
        seconds: stage.seconds,
      };
      const run = (): ReturnType<typeof requestsPerSecond> => requestsPerSecond(stage, server.process, load);
      const series = await takeTurns([{ name: ONE_PROCESS.name, run }], stage.rounds, (text) =>
        stage.say(`${operation}s: ${text}`),
      );
      const rate = median(valuesOf(named(series, ONE_PROCESS.name)));
      aims.push(atLeast(`${operation}s, batches/s`, LIMIT, rate, number));
      tables.push(
        `${operation}s, ${CONNECTIONS} connections:\n\n${markdownTable(series, seriesColumns(series, "batches/s"))}`,
      );
    }
    return { aims, tables };
  },
};

function requestsTo(lfsUrl: string, operation: Operation, objects: readonly SeededObject[]): WrkRequest[] {
  const path = `${new URL(lfsUrl).pathname}/objects/batch`;
  return Array.from({ length: OBJECTS / BATCH_SIZE }, (_, index) => ({
    method: "POST",
    path,
    headers: JSON_HEADERS,
    body: batchBody(operation, objects.slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)),
  }));
}
