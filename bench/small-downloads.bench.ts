import type { SeededObject } from "../test/support/seeded-objects.ts";
import { atLeast, type Bench } from "./support/bench.ts";
import { dataFolder, ONE_PROCESS, startHoldall, TWO_WORKERS } from "./support/holdall.ts";
import { batch, uploadAll } from "./support/lfs-api.ts";
import { admit, type Contender, contestantOf } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { NGINX, startNginx } from "./support/nginx.ts";
import { KiB, smallObjects } from "./support/objects.ts";
import { type Contestant, named, ratio, ratioTo, seriesColumns, takeTurns } from "./support/series.ts";
import { sharedPath, storeFolder } from "./support/store-layout.ts";
import { requestsPerSecond, type WrkLoad, type WrkRequest } from "./support/wrk.ts";

const OBJECTS = 1000;
const CONNECTIONS = 32;
const BATCH_SIZE = 100;

export const smallDownloads: Bench = {
  name: "small-downloads",
  title: "Objects of 64 KiB down, 32 connections",
  about: `\`wrk\` fetches 1,000 different objects in random order over 32 connections. The floor is nginx with one worker and sendfile
over the very same files.`,

  async run(stage, peers) {
    const objects = smallObjects(OBJECTS, 64 * KiB);
    const load = (requests: readonly WrkRequest[]): WrkLoad => {
      return { requests, connections: CONNECTIONS, seconds: stage.seconds };
    };

    const folder = await stage.folder("holdall");
    const nginx = await startNginx(stage, storeFolder(dataFolder(folder)));
    const files = load(objects.map(({ oid }) => ({ method: "GET", path: `/${sharedPath(oid)}` })));
    const contestants: Contestant[] = [{ name: NGINX, run: () => requestsPerSecond(stage, nginx, files) }];
    const overTheFiles: Contender = { ...ONE_PROCESS, start: () => startHoldall(stage, folder) };
    for (const contender of [overTheFiles, TWO_WORKERS, ...peers]) {
      await admit(stage, contender, async () => {
        const { process, lfsUrl } = await contender.start(stage);
        await uploadAll(lfsUrl, objects);
        const all = load(await downloads(lfsUrl, objects));
        contestants.push(contestantOf(stage, contender, () => requestsPerSecond(stage, process, all)));
      });
    }
    await stage.settle();

    const series = await takeTurns(contestants, stage.rounds, stage.say);
    const floor = named(series, NGINX);
    return {
      aims: [
        atLeast("one process, of nginx in one process", 0.35, ratioTo(named(series, ONE_PROCESS.name), floor), ratio),
        atLeast("two workers, of nginx in one process", 0.5, ratioTo(named(series, TWO_WORKERS.name), floor), ratio),
      ],
      tables: [markdownTable(series, seriesColumns(series, "requests/s", floor))],
    };
  },
};

/** What a client would ask for, as the server's own batch answers say. */
async function downloads(lfsUrl: string, objects: readonly SeededObject[]): Promise<WrkRequest[]> {
  const requests: WrkRequest[] = [];
  for (let start = 0; start < objects.length; start += BATCH_SIZE) {
    for (const { download } of (await batch(lfsUrl, "download", objects.slice(start, start + BATCH_SIZE))).values()) {
      if (download === undefined) throw new Error(`${lfsUrl} offers no download of what it has`);
      const { pathname, search } = new URL(download.href);
      requests.push({ method: "GET", path: pathname + search, headers: download.header });
    }
  }
  return requests;
}
