import { type Bench, below, type Outcome } from "./support/bench.ts";
import { FILES, filesFloor } from "./support/floors.ts";
import { GitClient } from "./support/git-client.ts";
import { ONE_PROCESS } from "./support/holdall.ts";
import { type Contender, contestantOf } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { KiB, MiB } from "./support/objects.ts";
import { type Contestant, named, ratio, type Sample, seriesColumns, type Series, takeTurns } from "./support/series.ts";
import type { Stage } from "./support/stage.ts";
import { median } from "./support/statistics.ts";

interface Load {
  readonly title: string;
  readonly files: number;
  /** Other files, which go first and do not count. */
  readonly warmUp: number;
  /** Of each, in bytes. */
  readonly size: number;
  readonly transfers: readonly number[];
}

export const client: Bench = {
  name: "client",
  title: "The real client",
  about: `\`git lfs push\` of all objects to a server that has none of them, and \`git lfs fetch\` of all into an empty cache, with
\`lfs.concurrenttransfers\` at 8 and at 64. Every round starts a new server with nothing in it, and lets other objects go to and fro
first, which do not count: 2,000 of 64 KiB, 8 of 16 MiB. The aim is that the client is the limit: that the server uses less CPU time
than the client, which is git, git-lfs and all that they run. The floor of the uploads is one process that makes as many durable
files from bytes in memory, one after the other, with nothing but the calls that it takes: no network, no threads, no database.
Small files stay until all rounds are over (some 20 GB): file systems make new ones more slowly after many were removed.
Where the CPU time of that floor alone is more than the client's, no server that keeps what it acknowledges can meet the aim.`,

  async run(stage, peers) {
    const small = stage.quick ? 200 : 2000;
    const loads: readonly Load[] = [
      { title: "64 KiB", files: small, warmUp: small, size: 64 * KiB, transfers: [8, 64] },
      { title: "16 MiB", files: stage.quick ? 4 : 64, warmUp: stage.quick ? 2 : 8, size: 16 * MiB, transfers: [8] },
    ];
    const aims: Outcome[] = [];
    const tables: string[] = [];
    for (const { title, files, warmUp, size, transfers } of loads) {
      await using part = stage.part({ keepsFiles: size < MiB });
      const measured = await GitClient.create(part, { files, size, firstSeed: 0 });
      const others = await GitClient.create(part, { files: warmUp, size, firstSeed: files });
      for (const count of transfers) {
        const load = `${files} × ${title}, ${count} transfers`;
        const contestants: Contestant<Push>[] = [ONE_PROCESS, ...peers].map((contender) =>
          contestantOf(stage, contender, () => toAndFro(part, contender, { measured, others, count })),
        );
        contestants.unshift(filesFloor(part, { files, size }));
        const up = await takeTurns(contestants, stage.rounds, (text) => stage.say(`${load}: ${text}`));
        const down = up.flatMap(({ name, samples }): Series[] =>
          name === FILES ? [] : [{ name, samples: samples.flatMap((sample) => sample.down ?? []) }],
        );
        for (const [direction, series] of Object.entries({ up, down })) {
          tables.push(`${load}, ${direction}:\n\n${markdownTable(series, seriesColumns(series, "objects/s"))}`);
          const reached = serverToClient(named(series, ONE_PROCESS.name));
          aims.push(below(`${load}, ${direction}, server CPU to client CPU`, 1, reached, ratio));
        }
      }
    }
    return { aims, tables };
  },
};

/** The median over the rounds of the server's CPU time for one second of the client's. */
function serverToClient({ samples }: Series): number {
  return median(samples.map(({ serverCpu = Number.NaN, clientCpu = Number.NaN }) => serverCpu / clientCpu));
}

/** Of a push, with the fetch that came after it. */
interface Push extends Sample {
  readonly down?: Sample;
}

/** One round of one server. */
async function toAndFro(
  stage: Stage,
  contender: Contender,
  o: { measured: GitClient; others: GitClient; count: number },
): Promise<Push> {
  await using part = stage.part();
  const { process, lfsUrl } = await contender.start(part);
  await o.others.push(lfsUrl, o.count);
  await o.others.fetch(lfsUrl, o.count);
  const up = await process.under(() => o.measured.push(lfsUrl, o.count));
  const down = await process.under(() => o.measured.fetch(lfsUrl, o.count));
  return { ...up, down };
}
