import { randomBytes } from "node:crypto";
import { appendFile, chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { findService } from "../scripts/services.ts";
import { seededBytes } from "../test/support/content.ts";
import { makeGitHome } from "../test/support/git-home.ts";
import { CHECKOUT } from "../test/support/holdall.ts";
import { atLeast, below, type Bench } from "./support/bench.ts";
import { markdownTable } from "./support/markdown.ts";
import { MiB } from "./support/objects.ts";
import { memoryOfClone, timeToFirstRequest } from "./support/remote-helper.ts";
import { startS3, type S3 } from "./support/s3-server.ts";
import {
  type Contestant,
  mebibytes,
  named,
  number,
  ratio,
  seriesColumns,
  takeTurns,
  valuesOf,
} from "./support/series.ts";
import type { Stage } from "./support/stage.ts";
import { median } from "./support/statistics.ts";

const FLOOR = "git, to a bare repository by file://";
const FOLDER = "Holdall, to a folder";
const S3_STORE = "Holdall, to S3";
const PEER = "git-remote-s3, to S3";
const MEMORY_LIMIT = 200 * MiB;
const FIRST_REQUEST = 150;
/** Rounds of what takes less than a second. */
const ROUNDS = 11;

/** Where a repository may be pushed to. */
interface Place {
  readonly name: string;
  readonly url: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

export const gitRemote: Bench = {
  name: "git-remote",
  title: "A Git remote that is only a store",
  about: `git itself pushes to and clones from a bare repository by file:// (a clone with \`--no-local\`, so that nothing is linked), and by
Holdall's helper a folder and an S3 server on the same machine (versitygw). Pushed is a commit of one line on top of a repository of 20 MiB, cloned is one of
200 MiB with 1,000 commits, as it was pushed at once. The first request is what an S3 server sees of the helper after its start, the programs' files being in
the system's cache. The memory is the helper's alone. git-remote-s3 is the original, 0.4.2.`,

  async run(stage) {
    const s3 = await startS3(stage);
    const pushes = await pushLoad(stage, s3);
    const clones = await cloneLoad(stage, s3);
    const first = await takeTurns(
      [{ name: S3_STORE, run: async () => ({ value: await timeToFirstRequest({ ...s3.env, ...pushes.env }) }) }],
      stage.quick ? 2 : ROUNDS,
      stage.say,
    );
    const [push, clone] = [pushes.series, clones.series];
    const timesFloor = median(valuesOf(named(push, FOLDER))) / median(valuesOf(named(push, FLOOR)));
    const ofFloor = median(valuesOf(named(clone, FOLDER))) / median(valuesOf(named(clone, FLOOR)));
    return {
      aims: [
        below("a push of one line to a folder, times git's own", 1.5, timesFloor, ratio),
        atLeast("a clone from a folder, of git's own speed", 0.9, ofFloor, ratio),
        below("memory of a clone of 200 MiB, MiB", MEMORY_LIMIT, clones.peakBytes, mebibytes),
        below("first request, ms", FIRST_REQUEST, median(valuesOf(named(first, S3_STORE))), number),
      ],
      tables: [
        `Push of one line:\n\n${markdownTable(push, seriesColumns(push, "ms"))}`,
        `Clone of 200 MiB:\n\n${markdownTable(clone, seriesColumns(clone, "MB/s", named(clone, FLOOR)))}`,
        `First request:\n\n${markdownTable(first, seriesColumns(first, "ms"))}`,
      ],
    };
  },
};

async function pushLoad(stage: Stage, s3: S3) {
  const work = await Work.create(stage, { files: 20, commits: 1 });
  const places = await work.places(s3, "push");
  for (const place of places) await work.push(place);
  const contestants = places.map((place): Contestant => ({
    name: place.name,
    async run() {
      await work.changeOneLine();
      await stage.settle();
      const { seconds, cpuSeconds } = await work.push(place);
      return { value: seconds * 1000, clientCpu: cpuSeconds };
    },
  }));
  return { series: await takeTurns(contestants, stage.quick ? 2 : ROUNDS, stage.say), env: work.env };
}

async function cloneLoad(stage: Stage, s3: S3) {
  const work = await Work.create(stage, stage.quick ? { files: 20, commits: 10 } : { files: 200, commits: 1000 });
  const places = await work.places(s3, "clone");
  for (const place of places) await work.push(place);
  const contestants = places.map((place): Contestant => ({
    name: place.name,
    async run() {
      await using part = stage.part();
      const into = join(await part.folder("clone"), "clone");
      await stage.settleWithMemory(2.5 * work.bytes);
      const args = ["clone", "--quiet", "--no-local", "--no-checkout", place.url, into];
      const { seconds, cpuSeconds } = await stage.run("git", args, { env: place.env });
      return { value: work.bytes / 1e6 / seconds, clientCpu: cpuSeconds };
    },
  }));
  const series = await takeTurns(contestants, stage.rounds, stage.say);
  const folder = places.find(({ name }) => name === FOLDER);
  if (folder === undefined) throw new Error("there is no folder to clone from");
  const empty = join(await stage.folder("memory"), "empty.git");
  await stage.run("git", ["init", "--quiet", "--bare", empty], { env: work.env });
  const peakBytes = await memoryOfClone(folder.url.replace("holdall::", ""), empty, work.env);
  return { series, peakBytes };
}

/** A work tree whose branch is pushed to one place and the other. */
class Work {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Of all files. */
  readonly bytes: number;
  readonly #stage: Stage;
  readonly #folder: string;

  private constructor(stage: Stage, o: { env: Readonly<NodeJS.ProcessEnv>; folder: string; bytes: number }) {
    this.#stage = stage;
    this.#folder = o.folder;
    this.env = o.env;
    this.bytes = o.bytes;
  }

  /** @param o.files of a MiB each, that nothing can make smaller */
  static async create(stage: Stage, o: { files: number; commits: number }): Promise<Work> {
    const home = await stage.folder("person");
    const own = await makeGitHome(home, { name: "bench", gitLfs: stage.programs["git-lfs"] });
    const env = { ...own, PATH: [join(CHECKOUT, "node_modules", ".bin"), own.PATH].join(delimiter) };
    const folder = join(home, "work");
    await mkdir(folder);
    const work = new Work(stage, { env, folder, bytes: o.files * MiB });
    await work.git("init", "--quiet");
    for (let file = 0; file < o.files; file += 1) await writeFile(join(folder, `${file}.bin`), seededBytes(file, MiB));
    await work.git("add", "--all");
    await work.git("commit", "--quiet", "--message", "Files");
    for (let commit = 1; commit < o.commits; commit += 1) await work.changeOneLine();
    return work;
  }

  async changeOneLine(): Promise<void> {
    await appendFile(join(this.#folder, "lines"), `${randomBytes(8).toString("hex")}\n`);
    await this.git("add", "lines");
    await this.git("commit", "--quiet", "--message", "A line");
  }

  /** All that can be pushed to. */
  async places(s3: S3, name: string): Promise<Place[]> {
    const folder = await this.#stage.folder("places");
    const bare = join(folder, "bare.git");
    await this.git("init", "--quiet", "--bare", bare);
    const env = { ...s3.env, ...this.env };
    const peer = await peersFolder(this.#stage);
    const peersEnv = { ...env, PATH: [peer, env.PATH].join(delimiter) };
    return [
      { name: FLOOR, url: `file://${bare}`, env },
      { name: FOLDER, url: `holdall::file://${join(folder, "store")}`, env },
      { name: S3_STORE, url: `s3://${s3.bucket}/${name}/holdall`, env },
      ...(peer === undefined ? [] : [{ name: PEER, url: `s3://${s3.bucket}/${name}/original`, env: peersEnv }]),
    ];
  }

  push({ url, env }: Place): ReturnType<Stage["run"]> {
    return this.#stage.run("git", ["push", "--quiet", url, "main"], { cwd: this.#folder, env });
  }

  git(...args: readonly string[]): ReturnType<Stage["run"]> {
    return this.#stage.run("git", args, { cwd: this.#folder, env: this.env });
  }
}

/** A folder in which git finds the original. Undefined where that cannot be had. */
async function peersFolder(stage: Stage): Promise<string | undefined> {
  const peer = await findService("git-remote-s3");
  if ("missing" in peer) {
    stage.leaveOut(PEER, peer.missing);
    return undefined;
  }
  const folder = await stage.folder("peer");
  const program = join(folder, "git-remote-s3");
  await writeFile(program, `#!/bin/sh\nexec '${peer.path}' '${join(dirname(peer.path), "git-remote-s3")}' "$@"\n`);
  await chmod(program, 0o755);
  return folder;
}
