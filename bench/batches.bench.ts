import type { Operation } from "@holdall/lfs-protocol";
import type { SeededObject } from "../test/support/seeded-objects.ts";
import { atLeast, type Bench, type Outcome } from "./support/bench.ts";
import { ONE_PROCESS, TWO_WORKERS } from "./support/holdall.ts";
import { batch, batchBody, JSON_HEADERS, uploadAll } from "./support/lfs-api.ts";
import { admit, type Contender, contestantOf, type LfsServer } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { KiB, smallObjects } from "./support/objects.ts";
import { named, number, seriesColumns, takeTurns, valuesOf } from "./support/series.ts";
import { median } from "./support/statistics.ts";
import { requestsPerSecond, type WrkRequest } from "./support/wrk.ts";

const OBJECTS = 1000;
const BATCH_SIZE = 100;
const CONNECTIONS = [8, 32] as const;

/** Batches a second, with any number of connections. */
const AIMS = [
  [ONE_PROCESS.name, 1500],
  [TWO_WORKERS.name, 2500],
] as const;

export const batches: Bench = {
  name: "batches",
  title: "Batches of 100 objects that the server has",
  about: `\`wrk\` posts batches of 100 of 1,000 objects, all of them present: downloads, where each object gets an action, and uploads,
where there is nothing left to do.`,

  async run(stage, peers) {
    const objects = smallObjects(OBJECTS, KiB);
    const servers: [Contender, LfsServer][] = [];
    for (const contender of [ONE_PROCESS, TWO_WORKERS, ...peers]) {
      await admit(stage, contender, async () => {
        const server = await contender.start(stage);
        await uploadAll(server.lfsUrl, objects);
        await checkAnswers(server, objects.slice(0, BATCH_SIZE));
        servers.push([contender, server]);
      });
    }
    await stage.settle();

    const tables: string[] = [];
    const aims: Outcome[] = [];
    for (const operation of ["download", "upload"] as const) {
      for (const connections of CONNECTIONS) {
        const contestants = servers.map(([contender, server]) => {
          const load = { requests: requestsTo(server, operation, objects), connections, seconds: stage.seconds };
          return contestantOf(stage, contender, () => requestsPerSecond(stage, server.process, load));
        });
        const load = `${operation}s, ${connections} connections`;
        const series = await takeTurns(contestants, stage.rounds, (text) => stage.say(`${load}: ${text}`));
        tables.push(`${capitalized(load)}:\n\n${markdownTable(series, seriesColumns(series, "batches/s"))}`);
        if (operation === "upload") continue;
        for (const [name, limit] of AIMS) {
          const rate = median(valuesOf(named(series, name)));
          aims.push(atLeast(`${name}, ${connections} connections, batches/s`, limit, rate, number));
        }
      }
    }
    return { aims, tables };
  },
};

function requestsTo({ lfsUrl }: LfsServer, operation: Operation, objects: readonly SeededObject[]): WrkRequest[] {
  const path = `${new URL(lfsUrl).pathname}/objects/batch`;
  return Array.from({ length: OBJECTS / BATCH_SIZE }, (_, index) => ({
    method: "POST",
    path,
    headers: JSON_HEADERS,
    body: batchBody(operation, objects.slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)),
  }));
}

/** A quick wrong answer is not to win. */
async function checkAnswers({ lfsUrl }: LfsServer, objects: readonly SeededObject[]): Promise<void> {
  for (const { download } of (await batch(lfsUrl, "download", objects)).values()) {
    if (download === undefined) throw new Error(`${lfsUrl} offers no download of what it has`);
  }
  for (const { upload } of (await batch(lfsUrl, "upload", objects)).values()) {
    if (upload !== undefined) throw new Error(`${lfsUrl} wants an upload of what it has`);
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
