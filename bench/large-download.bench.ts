import { join } from "node:path";
import { atLeast, type Bench } from "./support/bench.ts";
import { getFile, putFile } from "./support/curl.ts";
import { dataFolder, ONE_PROCESS, startHoldall } from "./support/holdall.ts";
import { type Action, actionFor } from "./support/lfs-api.ts";
import { admit, type Contender, contestantOf } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { NGINX, startNginx } from "./support/nginx.ts";
import { GiB, LargeFile, MiB } from "./support/objects.ts";
import { type Contestant, named, ratio, ratioTo, type Sample, seriesColumns, takeTurns } from "./support/series.ts";
import type { ServerProcess } from "./support/server-process.ts";
import { sharedPath, storeFolder } from "./support/store-layout.ts";

export const largeDownload: Bench = {
  name: "large-download",
  title: "One object of 1 GiB down",
  about: `\`curl\` fetches 1 GiB over one connection and throws it away. The floor is nginx with one worker, which sends the very same file
with sendfile. The file is in the system's cache. Beside nginx it is curl that has no
time left: nginx alone could send more.`,

  async run(stage, peers) {
    const file = await LargeFile.create(join(await stage.folder("source"), "source"), stage.quick ? 256 * MiB : GiB);
    const object = await file.becomeAnother();
    const fetched = (process: ServerProcess, action: Action): Promise<Sample> =>
      process.under(() => getFile(stage, action, file.size));

    const folder = await stage.folder("holdall");
    const nginx = await startNginx(stage, storeFolder(dataFolder(folder)));
    const sameFile = { href: `${nginx.origin}/${sharedPath(object.oid)}`, header: {} };
    const contestants: Contestant[] = [{ name: NGINX, run: () => fetched(nginx, sameFile) }];
    const overTheFile: Contender = { ...ONE_PROCESS, start: () => startHoldall(stage, folder) };
    for (const contender of [overTheFile, ...peers]) {
      await admit(stage, contender, async () => {
        const { process, lfsUrl } = await contender.start(stage);
        await putFile(stage, await actionFor(lfsUrl, "upload", object), file.path, file.size);
        const action = await actionFor(lfsUrl, "download", object);
        contestants.push(contestantOf(stage, contender, () => fetched(process, action)));
      });
    }
    await stage.settle();

    const series = await takeTurns(contestants, stage.rounds, stage.say);
    const floor = named(series, NGINX);
    return {
      aims: [atLeast("of nginx in one process", 0.7, ratioTo(named(series, ONE_PROCESS.name), floor), ratio)],
      tables: [markdownTable(series, seriesColumns(series, "MB/s", floor))],
    };
  },
};
