import { Command, InvalidArgumentError } from "commander";
import { openStore, parseStoreUrl, probeStore, type ProbeReport } from "@holdall/object-store";
import { Exit, EXIT_CODES } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { printJson, printTable } from "../output.ts";

interface StoreProbeOptions {
  readonly writers: number;
  readonly json?: true;
}

const SAYING = { works: "yes", fails: "no", unclaimed: "–" } as const;

export function storeProbe(io: Io): Command {
  const command = new Command("probe")
    .description("Try out what a store can do, and say which jobs it is fit for.")
    .argument("<url>", "the store, such as s3://bucket/prefix")
    .option("--writers <number>", "how many writers race for one object", readWriters, 16);
  return addJsonOption(command).action(async (url: string, { writers, json }: StoreProbeOptions) => {
    const store = await openStore(parseStoreUrl(url));
    let report: ProbeReport;
    try {
      const progress = json === undefined ? (name: string) => io.stderr.write(`trying ${name}\n`) : () => undefined;
      report = await probeStore(store, { writers, onCheck: progress });
    } finally {
      await store.close();
    }
    if (json) printJson(io.stdout, report);
    else print(io, report);
    // The first job is what every use of a store needs.
    if (report.jobs[0]?.fit !== true) throw new Exit(EXIT_CODES.failed.code);
  });
}

function print(io: Io, { checks, jobs }: ProbeReport): void {
  const rows = checks.map(({ name, outcome, reason = "" }) => [name, SAYING[outcome], reason]);
  printTable(io.stdout, ["CAN IT", "", "WHY NOT"], rows);
  io.stdout.write("\n");
  const verdicts = jobs.map(({ job, fit, lacks }) => [job, fit ? "yes" : "no", fit ? "" : `lacks ${lacks.join(", ")}`]);
  printTable(io.stdout, ["FIT FOR", "", ""], verdicts);
}

function readWriters(text: string): number {
  const writers = Number(text);
  if (!Number.isInteger(writers) || writers < 2 || writers > 256) {
    throw new InvalidArgumentError("Give a whole number from 2 to 256.");
  }
  return writers;
}
