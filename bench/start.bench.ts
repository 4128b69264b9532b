import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Operation } from "@holdall/lfs-protocol";
import { below, type Bench, type Outcome } from "./support/bench.ts";
import { dataFolder, ONE_PROCESS, startHoldall } from "./support/holdall.ts";
import { batch, type ObjectName, uploadAll } from "./support/lfs-api.ts";
import { type Contender, contestantOf } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { smallObjects } from "./support/objects.ts";
import { type Contestant, named, number, seriesColumns, takeTurns, valuesOf } from "./support/series.ts";
import type { Stage } from "./support/stage.ts";
import { median } from "./support/statistics.ts";

const LIMIT_MILLISECONDS = 500;

const NODE = "Node, doing nothing";
const EMPTY = "Holdall, empty";

export const start: Bench = {
  name: "start",
  title: "From start to the first answer",
  about: `From the start of the process to the end of the first answer to a batch of 100 objects, with status 200: of an upload to a server
with a new data folder, and of a download from one that knows a million objects, asked for 100 of them. The files are in the
system's cache. The floor is Node itself with an empty program, from start to end.`,

  async run(stage, peers) {
    const known = stage.quick ? 10_000 : 1_000_000;
    const full = `Holdall, ${number(known)} objects known`;
    const fullFolder = await stage.folder("known");
    const present = await fill(stage, fullFolder, known);
    const absent = smallObjects(100, 100);
    const contestants: Contestant[] = [
      {
        name: NODE,
        run: async () => {
          const { seconds } = await stage.run(process.execPath, ["-e", "0"]);
          return { value: seconds * 1000 };
        },
      },
      { name: EMPTY, run: async () => firstAnswer(stage, ONE_PROCESS, await stage.folder("empty"), "upload", absent) },
      { name: full, run: () => firstAnswer(stage, ONE_PROCESS, fullFolder, "download", present) },
      ...peers.map((peer) =>
        contestantOf(stage, { ...peer, name: `${peer.name}, empty` }, async () =>
          firstAnswer(stage, peer, await stage.folder("empty"), "upload", absent),
        ),
      ),
    ];
    const series = await takeTurns(contestants, stage.quick ? 2 : 11, stage.say);
    const aim = (name: string): Outcome =>
      below(`${name}, ms`, LIMIT_MILLISECONDS, median(valuesOf(named(series, name))), number);
    return {
      aims: [aim(EMPTY), aim(full)],
      tables: [markdownTable(series, seriesColumns(series, "ms"))],
    };
  },
};

async function firstAnswer(
  stage: Stage,
  contender: Contender,
  folder: string,
  operation: Operation,
  objects: readonly ObjectName[],
) {
  const { process, lfsUrl } = await contender.start(stage, folder);
  const actions = await batch(lfsUrl, operation, objects);
  const value = performance.now() - process.startedAt;
  const { peakBytes, cpuSeconds } = await process.usage();
  await process.stop();
  for (const offered of actions.values()) if (offered[operation] === undefined) throw new Error("an action is missing");
  return { value, serverCpu: cpuSeconds, peakBytes };
}

/** Has a server make its database, and writes so many objects into it. @returns 100 of them */
async function fill(stage: Stage, folder: string, count: number): Promise<ObjectName[]> {
  const { process, lfsUrl } = await startHoldall(stage, folder);
  // The repository comes into being with its first object.
  await uploadAll(lfsUrl, smallObjects(1, 100));
  await process.stop();
  using database = new DatabaseSync(join(dataFolder(folder), "holdall.db"));
  const oids = Array.from({ length: count }, () => randomBytes(32)).sort((a, b) => Buffer.compare(a, b));
  const insertObject = database.prepare("insert into objects (oid, size) values (?, 100)");
  const insertLink = database.prepare(
    "insert into links (repository_id, oid, size, linked_at) select id, ?, 100, 0 from repositories",
  );
  database.exec("begin");
  for (const oid of oids) {
    insertObject.run(oid);
    insertLink.run(oid);
  }
  database.exec("commit");
  const step = Math.floor(count / 100);
  return Array.from({ length: 100 }, (_, index) => ({ oid: oids[index * step]?.toString("hex") ?? "", size: 100 }));
}
