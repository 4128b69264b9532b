import { type Bench, below, type Outcome } from "./support/bench.ts";
import { GitClient } from "./support/git-client.ts";
import { ONE_PROCESS } from "./support/holdall.ts";
import type { Contender } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { KiB, MiB } from "./support/objects.ts";
import { ratio, type Sample, seriesColumns, type Series } from "./support/series.ts";
import type { Stage } from "./support/stage.ts";
import { median } from "./support/statistics.ts";

interface Load {
  readonly title: string;
  readonly files: number;
  /** Of each, in bytes. */
  readonly size: number;
  readonly transfers: readonly number[];
}

export const client: Bench = {
  name: "client",
  title: "The real client",
  about: `\`git lfs push\` of all objects to a server that has none of them, and \`git lfs fetch\` of all into an empty cache, with
\`lfs.concurrenttransfers\` at 8 and at 64. Every round starts a new server with nothing in it. The aim is that the client is the
limit: that the server uses less CPU time than the client.`,

  async run(stage, peers) {
    const loads: readonly Load[] = [
      { title: "64 KiB", files: stage.quick ? 200 : 2000, size: 64 * KiB, transfers: [8, 64] },
      { title: "16 MiB", files: stage.quick ? 4 : 64, size: 16 * MiB, transfers: [8] },
    ];
    const aims: Outcome[] = [];
    const tables: string[] = [];
    for (const { title, files, size, transfers } of loads) {
      const git = await GitClient.create(stage, files, size);
      for (const count of transfers) {
        const load = `${files} × ${title}, ${count} transfers`;
        const [up, down] = await pushAndFetch(stage, git, [ONE_PROCESS, ...peers], { count, load });
        for (const [direction, series] of [
          ["up", up],
          ["down", down],
        ] as const) {
          tables.push(`${load}, ${direction}:\n\n${markdownTable(series, seriesColumns(series, "objects/s"))}`);
          const holdall = series.find(({ name }) => name === ONE_PROCESS.name);
          if (holdall === undefined) throw new Error(`${ONE_PROCESS.name} took no part`);
          aims.push(below(`${load}, ${direction}, server CPU to client CPU`, 1, serverToClient(holdall), ratio));
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

/** Round by round, each server anew. @returns the series of the pushes and those of the fetches */
async function pushAndFetch(
  stage: Stage,
  git: GitClient,
  contenders: readonly Contender[],
  o: { count: number; load: string },
): Promise<[up: Series[], down: Series[]]> {
  const up = contenders.map(({ name }) => ({ name, samples: [] as Sample[] }));
  const down = contenders.map(({ name }) => ({ name, samples: [] as Sample[] }));
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const { process, lfsUrl } = await contender.start(stage);
      const pushed = await process.under(() => git.push(lfsUrl, o.count));
      const fetched = await process.under(() => git.fetch(lfsUrl, o.count));
      await process.stop();
      up[index]?.samples.push(pushed);
      down[index]?.samples.push(fetched);
      stage.say(`${o.load}, round ${round + 1} of ${stage.rounds}: ${contender.name}`);
    }
  }
  return [up, down];
}
