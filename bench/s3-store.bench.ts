import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { atLeast, below, type Bench, type Outcome } from "./support/bench.ts";
import { getFile, putFile } from "./support/curl.ts";
import { ONE_PROCESS, startHoldall } from "./support/holdall.ts";
import { actionFor, type ObjectName } from "./support/lfs-api.ts";
import type { LfsServer } from "./support/lfs-server.ts";
import { markdownTable } from "./support/markdown.ts";
import { GiB, KiB, LargeFile, MiB } from "./support/objects.ts";
import { type S3, startS3 } from "./support/s3-server.ts";
import {
  type Contestant,
  mebibytes,
  named,
  ratio,
  ratioTo,
  type Sample,
  seriesColumns,
  takeTurns,
} from "./support/series.ts";
import { manyUploads } from "./support/many-uploads.ts";
import type { Stage } from "./support/stage.ts";

const SDK = "the SDK, straight to the bucket";
const SDK_PROGRAM = fileURLToPath(import.meta.resolve("./support/sdk-s3.ts"));
const LFS_PROGRAM = fileURLToPath(import.meta.resolve("./support/lfs-many.ts"));
const MEMORY_LIMIT = 500 * MiB;

/** A server in front of a bucket, and the bucket itself. */
interface Both {
  readonly stage: Stage;
  readonly s3: S3;
  readonly server: LfsServer;
}

export const s3Store: Bench = {
  name: "s3-store",
  title: "Through the server to S3",
  about: `Objects in an S3 server on the same machine (versitygw over a folder), through Holdall with \`--store s3://…\`, beside the same
bytes sent straight to it by the SDK of AWS (its \`Upload\` in parts for large objects), in the same run. One object of 1 GiB goes by \`curl\`;
2,000 objects of 64 KiB eight at a time, batches and all. Holdall hashes what it takes in; the SDK does not. The peak memory is that of
16 uploads of 1 GiB at once.`,

  async run(stage) {
    const s3 = await startS3(stage);
    const args = ["--store", `s3://${s3.bucket}/holdall`];
    const server = await startHoldall(stage, await stage.folder("holdall"), 1, { args, env: s3.env });
    const both: Both = { stage, s3, server };
    const aims: Outcome[] = [];
    const tables: string[] = [];
    const loads = [
      ["1 GiB", "MB/s", 0.7, await largeLoads(both)],
      ["64 KiB", "objects/s", 0.5, smallLoads(both)],
    ] as const;
    for (const [size, unit, limit, ways] of loads) {
      for (const [way, contestants] of Object.entries(ways)) {
        const series = await takeTurns(contestants, stage.rounds, (text) => stage.say(`${size} ${way}: ${text}`));
        const floor = named(series, SDK);
        aims.push(atLeast(`${size} ${way}, of the SDK`, limit, ratioTo(named(series, ONE_PROCESS.name), floor), ratio));
        tables.push(`${size} ${way}:\n\n${markdownTable(series, seriesColumns(series, unit, floor))}`);
      }
    }
    await server.process.stop();
    const peak = await memoryOfUploads(stage, s3);
    aims.push(below("16 uploads of 1 GiB at once, MiB", MEMORY_LIMIT, peak, mebibytes));
    return { aims, tables };
  },
};

async function largeLoads({ stage, s3, server }: Both): Promise<Record<"up" | "down", Contestant[]>> {
  const folder = await stage.folder("source");
  const file = await LargeFile.create(join(folder, "source"), stage.quick ? 64 * MiB : GiB);
  const rate = async (job: readonly string[]): Promise<Sample> => {
    await stage.settleWithMemory(1.25 * file.size);
    const { value, clientCpu } = await timed(stage, s3, SDK_PROGRAM, [s3.bucket, ...job]);
    return { value: file.size / 1e6 / value, clientCpu };
  };
  const objects: ObjectName[] = [];
  const objectOf = async (round: number): Promise<ObjectName> => (objects[round] ??= await file.becomeAnother());
  const up: Contestant[] = [
    {
      name: SDK,
      async run(round) {
        const { oid } = await objectOf(round);
        return await rate(["put", file.path, `sdk/${oid}`]);
      },
    },
    {
      name: ONE_PROCESS.name,
      async run(round) {
        const action = await actionFor(server.lfsUrl, "upload", await objectOf(round));
        await stage.settleWithMemory(1.25 * file.size);
        return await server.process.under(() => putFile(stage, action, file.path, file.size));
      },
    },
  ];
  const stored = async (): Promise<ObjectName> => await objectOf(0);
  const down: Contestant[] = [
    { name: SDK, run: async () => await rate(["get", `sdk/${(await stored()).oid}`]) },
    {
      name: ONE_PROCESS.name,
      async run() {
        const action = await actionFor(server.lfsUrl, "download", await stored());
        await stage.settleWithMemory(1.25 * file.size);
        return await server.process.under(() => getFile(stage, action, file.size));
      },
    },
  ];
  return { up, down };
}

function smallLoads({ stage, s3, server }: Both): Record<"up" | "down", Contestant[]> {
  const [count, size] = [stage.quick ? 200 : 2000, 64 * KiB];
  const objects = (round: number): string[] => [round * count, count, size].map(String);
  const bySdk = async (job: string, round: number): Promise<Sample> => {
    await stage.settleWithMemory(1.25 * count * size);
    const { value, clientCpu } = await timed(stage, s3, SDK_PROGRAM, [s3.bucket, job, ...objects(round)]);
    return { value: count / value, clientCpu };
  };
  const byServer = async (way: string, round: number): Promise<Sample> => {
    await stage.settleWithMemory(1.25 * count * size);
    return await server.process.under(async () => {
      const { value, clientCpu } = await timed(stage, s3, LFS_PROGRAM, [server.lfsUrl, way, ...objects(round)]);
      return { value: count / value, clientCpu };
    });
  };
  return {
    up: [
      { name: SDK, run: (round) => bySdk("put-many", round) },
      { name: ONE_PROCESS.name, run: (round) => byServer("up", round) },
    ],
    down: [
      { name: SDK, run: (round) => bySdk("get-many", round) },
      { name: ONE_PROCESS.name, run: (round) => byServer("down", round) },
    ],
  };
}

/** Runs a program that prints the seconds which its transfers took. */
async function timed(
  stage: Stage,
  s3: S3,
  program: string,
  args: readonly string[],
): Promise<{ readonly value: number; readonly clientCpu: number }> {
  const { stdout, cpuSeconds } = await stage.run(process.execPath, [program, ...args], { env: s3.env });
  return { value: Number(stdout), clientCpu: cpuSeconds };
}

/** @returns bytes */
async function memoryOfUploads(stage: Stage, s3: S3): Promise<number> {
  const args = ["--store", `s3://${s3.bucket}/memory`];
  const server = await startHoldall(stage, await stage.folder("memory"), 1, { args, env: s3.env });
  const { peakBytes = Number.POSITIVE_INFINITY } = await server.process.under(async () => {
    const value = await manyUploads(server.lfsUrl, 16, stage.quick ? 32 * MiB : GiB);
    return { value };
  });
  return peakBytes;
}
