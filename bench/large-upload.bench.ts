import { join } from "node:path";
import { atLeast, type Bench } from "./support/bench.ts";
import { putFile } from "./support/curl.ts";
import { COPY, copyFloors } from "./support/floors.ts";
import { ONE_PROCESS } from "./support/holdall.ts";
import { actionFor, type ObjectName } from "./support/lfs-api.ts";
import { admit, contestantOf } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { GiB, LargeFile, MiB } from "./support/objects.ts";
import { type Contestant, named, ratio, ratioTo, type Sample, seriesColumns, takeTurns } from "./support/series.ts";

export const largeUpload: Bench = {
  name: "large-upload",
  title: "One object of 1 GiB up",
  about: `\`curl\` sends 1 GiB that does not compress, another object each round, and waits for the answer, which Holdall gives when
the object is hashed and on the disk. The floor is one process that copies the same file on the same disk: it reads 4 MiB,
hashes, writes, and ends with fdatasync; \`dd\` does the same without hashing. Peers may answer before anything is on the disk.
Before each upload another file of that size is written and removed, so that all of them find the same memory at hand.`,

  async run(stage, peers) {
    const folder = await stage.folder("source");
    const file = await LargeFile.create(join(folder, "source"), stage.quick ? 64 * MiB : GiB);
    // Another one in each round, whoever comes first in it.
    const objects: ObjectName[] = [];
    const objectOf = async (round: number): Promise<ObjectName> => (objects[round] ??= await file.becomeAnother());

    const contestants: Contestant[] = copyFloors(stage, file, folder).map((floor) => ({
      name: floor.name,
      async run(round) {
        await objectOf(round);
        return floor.run(round);
      },
    }));
    for (const contender of [ONE_PROCESS, ...peers]) {
      const server = await admit(stage, contender, () => contender.start(stage));
      if (server === undefined) continue;
      const run = async (round: number): Promise<Sample> => {
        const action = await actionFor(server.lfsUrl, "upload", await objectOf(round));
        await stage.settleWithMemory(1.25 * file.size);
        return server.process.under(() => putFile(stage, action, file.path, file.size));
      };
      contestants.push(contestantOf(stage, contender, run));
    }

    const series = await takeTurns(contestants, stage.rounds, stage.say);
    const copy = named(series, COPY);
    const reached = ratioTo(named(series, ONE_PROCESS.name), copy);
    return {
      aims: [atLeast("of the floor", 0.8, reached, ratio)],
      tables: [markdownTable(series, seriesColumns(series, "MB/s", copy))],
    };
  },
};
