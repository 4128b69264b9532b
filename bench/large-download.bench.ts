import { join } from "node:path";
import { atLeast, type Bench } from "./support/bench.ts";
import { getFile, putFile } from "./support/curl.ts";
import { dataFolder, ONE_PROCESS, startHoldall } from "./support/holdall.ts";
import { type Action, actionFor } from "./support/lfs-api.ts";
import { markdownTable } from "./support/markdown.ts";
import { NGINX, startNginx } from "./support/nginx.ts";
import { GiB, LargeFile, MiB } from "./support/objects.ts";
import { type Contestant, named, ratio, ratioTo, seriesColumns, takeTurns } from "./support/series.ts";
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
    const contestants: Contestant[] = [];
    const add = (process: ServerProcess, action: Action): void => {
      contestants.push({
        name: process.name,
        run: () => process.under(() => getFile(stage, action, file.size)),
      });
    };

    const folder = await stage.folder("holdall");
    const holdall = await startHoldall(stage, folder);
    const nginx = await startNginx(stage, storeFolder(dataFolder(folder)));
    add(nginx, { href: `${nginx.origin}/${sharedPath(object.oid)}`, header: {} });
    for (const { process, lfsUrl } of [holdall, ...(await Promise.all(peers.map((peer) => peer.start(stage))))]) {
      await putFile(stage, await actionFor(lfsUrl, "upload", object), file.path, file.size);
      add(process, await actionFor(lfsUrl, "download", object));
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
