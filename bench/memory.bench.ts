import { rm } from "node:fs/promises";
import { join } from "node:path";
import { below, type Bench, type Outcome } from "./support/bench.ts";
import { putFile } from "./support/curl.ts";
import { ONE_PROCESS } from "./support/holdall.ts";
import { readSlowly } from "./support/http-bodies.ts";
import { actionFor } from "./support/lfs-api.ts";
import { admit, type Contender } from "./support/lfs-server.ts";
import { manyUploads, totalRate } from "./support/many-uploads.ts";
import { markdownTable } from "./support/markdown.ts";
import { GiB, LargeFile, MiB } from "./support/objects.ts";
import { mebibytes, named, type Sample, type Series, seriesColumns } from "./support/series.ts";
import type { Stage } from "./support/stage.ts";

const LIMIT = 250 * MiB;

export const memory: Bench = {
  name: "memory",
  title: "Peak memory",
  about: `64 uploads of 64 MiB at once; then, by a new process, 16 downloads of 2 GiB at once, whose readers take some 6 MB a second each for
20 seconds, and the rest as fast as it comes. The peak is the highest resident memory of the server since it started
(VmHWM), which counts the runtime itself: Node alone takes some 45 MiB.`,

  async run(stage, peers) {
    const loads = { uploads: uploadsAtOnce, "downloads, slow readers": slowReaders };
    const aims: Outcome[] = [];
    const tables: string[] = [];
    for (const [title, load] of Object.entries(loads)) {
      const series: Series[] = [];
      for (const contender of [ONE_PROCESS, ...peers]) {
        const sample = await admit(stage, contender, () => load(stage, contender));
        if (sample !== undefined) series.push({ name: contender.name, samples: [sample] });
      }
      const reached = peak(named(series, ONE_PROCESS.name).samples);
      stage.say(`${title}: ${mebibytes(reached)} MiB`);
      aims.push(below(`${title}, MiB`, LIMIT, reached, mebibytes));
      tables.push(`${title}:\n\n${markdownTable(series, seriesColumns(series, "MB/s, all together"))}`);
    }
    return { aims, tables };
  },
};

function peak(samples: readonly Sample[]): number {
  return Math.max(...samples.map(({ peakBytes }) => peakBytes ?? Number.POSITIVE_INFINITY));
}

async function uploadsAtOnce(stage: Stage, contender: Contender): Promise<Sample> {
  const [count, size] = stage.quick ? [64, 8 * MiB] : [64, 64 * MiB];
  const { process, lfsUrl } = await contender.start(stage);
  const sample = await process.under(async () => ({ value: await manyUploads(lfsUrl, count, size) }));
  await process.stop();
  return sample;
}

async function slowReaders(stage: Stage, contender: Contender): Promise<Sample> {
  const [count, size, seconds] = stage.quick ? [16, 256 * MiB, 3] : [16, 2 * GiB, 20];
  const file = await LargeFile.create(join(await stage.folder("source"), "source"), size);
  const object = await file.becomeAnother();
  const folder = await stage.folder("data");
  const before = await contender.start(stage, folder);
  await putFile(stage, await actionFor(before.lfsUrl, "upload", object), file.path, size);
  await before.process.stop();
  await rm(file.path);

  const { process, lfsUrl } = await contender.start(stage, folder);
  const download = await actionFor(lfsUrl, "download", object);
  const sample = await process.under(async () => {
    const rate = await totalRate(Array.from({ length: count }), async () => {
      await readSlowly(download, size, seconds);
      return size;
    });
    return { value: rate };
  });
  await process.stop();
  return sample;
}
