/**
 * Measures Holdall beside floors and other servers, and writes what it found into docs/benchmarks.md.
 *
 *     node bench/run.ts                 all loads, half an hour on a quiet machine
 *     node bench/run.ts NAME…           these loads; the rest of the page stays
 *     node bench/run.ts [NAME…] --quick small and short, to the terminal only: its numbers mean little
 */
import { once } from "node:events";
import { readFile, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loads } from "./loads.ts";
import type { Bench } from "./support/bench.ts";
import { describeMachine } from "./support/machine.ts";
import { replaceBetweenMarkers } from "./support/markdown.ts";
import { GiB } from "./support/objects.ts";
import { findPeers } from "./support/peers.ts";
import { section } from "./support/section.ts";
import { findPrograms, Stage } from "./support/stage.ts";

const PAGE = join(import.meta.dirname, "..", "docs", "benchmarks.md");

/** What the largest load leaves on the disk until it has ended. */
const ROOM = 20 * GiB;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: "boolean" } } });
  const quick = values.quick === true;
  const unknown = positionals.find((name) => !loads.some((load) => load.name === name));
  if (unknown !== undefined) {
    console.error(`There is no load ${unknown}; there are ${loads.map(({ name }) => name).join(", ")}.`);
    return 2;
  }
  const chosen = loads.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  await checkMachine(quick);

  const programs = await findPrograms();
  const peers = await findPeers();
  const today = new Date().toISOString().slice(0, 10);
  const footnote = [today, ...(await describeMachine(programs))].join(". ");
  let failures = 0;
  for (const load of chosen) {
    try {
      await using stage = new Stage({ programs, quick, say: (text) => console.error(`${load.name}: ${text}`) });
      const findings = await Promise.race([load.run(stage, peers), interrupted]);
      const text = section(load, findings, { leftOut: stage.leftOut, footnote });
      console.log(`\n${text}\n`);
      if (!quick) await writePage(load, text);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      // The other loads tell something still.
      console.error(`${load.name} failed:`, error);
      failures += 1;
    }
  }
  return failures === 0 ? 0 : 1;
}

class Interrupted extends Error {}

/** Rejects when somebody wants to stop; what the load has started is then ended in order. */
const interrupted: Promise<never> = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]).then(() => {
  throw new Interrupted("stopped");
});

async function checkMachine(quick: boolean): Promise<void> {
  if (process.platform !== "linux") throw new Error("CPU time and memory are read from /proc: run this on Linux");
  const { bavail, bsize } = await statfs(tmpdir());
  if (!quick && bavail * bsize < ROOM) {
    throw new Error(
      `this needs ${ROOM / GiB} GiB free in ${tmpdir()}; set TMPDIR to a folder on a disk with more room`,
    );
  }
}

async function writePage({ name }: Bench, text: string): Promise<void> {
  await writeFile(PAGE, replaceBetweenMarkers(await readFile(PAGE, "utf8"), name, text));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
// What a load that was stopped still waits for must not keep the process.
process.exit();
