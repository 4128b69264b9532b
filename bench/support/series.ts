import type { Column } from "./markdown.ts";
import { median, medianRatio } from "./statistics.ts";

/** What one run of one contestant showed. */
export interface Sample {
  /** In the unit of the load. */
  readonly value: number;
  /** CPU time of all the server's processes during the run, in seconds. */
  readonly serverCpu?: number;
  /** The same of the programs that made the load. */
  readonly clientCpu?: number;
  /** The most memory that the server has held since it started (resident, all its processes added up), in bytes. */
  readonly peakBytes?: number;
}

/** All rounds of one contestant. */
export interface Series<T extends Sample = Sample> {
  readonly name: string;
  readonly samples: readonly T[];
}

export interface Contestant<T extends Sample = Sample> {
  readonly name: string;
  /** @returns undefined when it can take part no longer */
  run(round: number): Promise<T | undefined>;
}

/**
 * Lets every contestant run once, then every one again, and so on: what else the machine does in the meantime then
 * meets them all. Another one begins each time, so that none always has what the one before it leaves behind, such as
 * memory that the system has at hand.
 * @param say is told each result as it comes
 * @returns the results of those that took part to the end
 */
export async function takeTurns<T extends Sample>(
  contestants: readonly Contestant<T>[],
  rounds: number,
  say: (text: string) => void,
): Promise<Series<T>[]> {
  const series = new Map(contestants.map((contestant) => [contestant, [] as T[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [contestant, samples] of rotated([...series], round)) {
      const sample = await contestant.run(round);
      if (sample === undefined) {
        series.delete(contestant);
        continue;
      }
      samples.push(sample);
      say(`round ${round + 1} of ${rounds}, ${contestant.name}: ${number(sample.value)}`);
    }
  }
  return Array.from(series, ([{ name }, samples]) => ({ name, samples }));
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % Math.max(1, items.length);
  return [...items.slice(at), ...items.slice(0, at)];
}

export function valuesOf(series: Series): number[] {
  return series.samples.map(({ value }) => value);
}

/** The series of that name. @throws Error when there is none */
export function named(series: readonly Series[], name: string): Series {
  const found = series.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`nothing was measured of ${name}`);
  return found;
}

/** The columns of a table of series. What no series has is left out. @param floor what the others are compared with */
export function seriesColumns(all: readonly Series[], unit: string, floor?: Series): Column<Series>[] {
  const columns: (Column<Series> & { readonly only?: keyof Sample })[] = [
    { title: "", cell: ({ name }) => name },
    { title: `${unit}, median`, cell: (series) => number(median(valuesOf(series))), right: true },
    { title: "lowest to highest", cell: (series) => range(valuesOf(series)), right: true },
    ...(floor === undefined
      ? []
      : [{ title: "of the floor", cell: (series: Series) => ratio(ratioTo(series, floor)), right: true }]),
    { title: "server CPU, s", cell: (series) => medianOf(series, "serverCpu"), right: true, only: "serverCpu" },
    { title: "client CPU, s", cell: (series) => medianOf(series, "clientCpu"), right: true, only: "clientCpu" },
    { title: "server's peak memory, MiB", cell: peakMemory, right: true, only: "peakBytes" },
  ];
  return columns.filter(
    ({ only }) => only === undefined || all.some(({ samples }) => samples.some((sample) => sample[only] !== undefined)),
  );
}

/** Of a median run of the series, how much it is of a median run of the floor: 1 is as fast. */
export function ratioTo(series: Series, floor: Series): number {
  return medianRatio(valuesOf(series), valuesOf(floor));
}

function medianOf(series: Series, key: "serverCpu" | "clientCpu"): string {
  const values = series.samples.flatMap((sample) => sample[key] ?? []);
  return values.length === 0 ? "–" : median(values).toFixed(2);
}

function peakMemory({ samples }: Series): string {
  const peaks = samples.flatMap(({ peakBytes }) => peakBytes ?? []);
  return peaks.length === 0 ? "–" : mebibytes(Math.max(...peaks));
}

export function mebibytes(bytes: number): string {
  return number(bytes / 1024 / 1024);
}

export function ratio(value: number): string {
  return value.toFixed(2);
}

function range(values: readonly number[]): string {
  return `${number(Math.min(...values))} – ${number(Math.max(...values))}`;
}

/** Three digits that count, or all before the point. */
export function number(value: number): string {
  return value.toLocaleString("en", value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });
}
