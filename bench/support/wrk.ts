import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sample } from "./series.ts";
import type { ServerProcess } from "./server-process.ts";
import type { Stage } from "./stage.ts";

export interface WrkRequest {
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WrkLoad {
  /** Each time one of these, all equally likely. */
  readonly requests: readonly WrkRequest[];
  readonly connections: number;
  readonly seconds: number;
}

const WARM_UP_SECONDS = 1;
/** A second one takes more from the server, on a machine with two processors, than it adds to the load. */
const THREADS = 1;

/** Sends requests without a pause, for a moment first that does not count. @returns requests a second */
export async function requestsPerSecond(stage: Stage, server: ServerProcess, load: WrkLoad): Promise<Sample> {
  const script = join(await stage.folder("wrk"), "requests.lua");
  await writeFile(script, luaScript(load.requests));
  const go = async (seconds: number): Promise<Sample> => {
    const { stdout, cpuSeconds } = await stage.run(stage.programs.wrk.path, [
      `--threads=${THREADS}`,
      `--connections=${load.connections}`,
      `--duration=${seconds}s`,
      "--timeout=30s",
      `--script=${script}`,
      server.origin,
    ]);
    return { value: readRate(stdout), clientCpu: cpuSeconds };
  };
  await go(WARM_UP_SECONDS);
  return server.under(() => go(load.seconds));
}

/** A script for wrk that sends these in random order, the same each time, and ends with a line of results. */
export function luaScript(requests: readonly WrkRequest[]): string {
  // A JSON string of printable ASCII is a Lua string too.
  const text = (value: string): string => JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, "?");
  const table = (headers: Readonly<Record<string, string>>): string =>
    `{${Object.entries(headers)
      .map(([name, value]) => `[${text(name)}] = ${text(value)}`)
      .join(", ")}}`;
  const list = requests.map(
    ({ method, path, headers = {}, body }) =>
      `  { ${text(method)}, ${text(path)}, ${table(headers)}, ${body === undefined ? "nil" : text(body)} },`,
  );
  return `local requests = {
${list.join("\n")}
}
local ready = {}

function init(args)
  math.randomseed(1)
  for i, r in ipairs(requests) do ready[i] = wrk.format(r[1], r[2], r[3], r[4]) end
end

function request()
  return ready[math.random(#ready)]
end

function done(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format("RESULT %d requests, %d microseconds, %d failed\\n", summary.requests, summary.duration, failed))
end
`;
}

/** Requests a second. @param output of wrk. @throws Error when any request failed, since failing may be quick */
export function readRate(output: string): number {
  const [, requests, microseconds, failed] =
    /^RESULT (\d+) requests, (\d+) microseconds, (\d+) failed$/m.exec(output) ?? [];
  if (requests === undefined || failed !== "0" || requests === "0") throw new Error(`requests failed:\n${output}`);
  return Number(requests) / (Number(microseconds) / 1e6);
}
