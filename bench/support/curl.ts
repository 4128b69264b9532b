import type { Action } from "./lfs-api.ts";
import type { Sample } from "./series.ts";
import type { Stage } from "./stage.ts";

/** Sends a file by PUT. @returns megabytes (10⁶) a second */
export function putFile(stage: Stage, action: Action, path: string, size: number): Promise<Sample> {
  // Without asking for permission first, as git-lfs sends.
  return transfer(stage, action, ["-T", path, "-H", "Expect:"], size);
}

/** Fetches a URL and throws the bytes away. @returns megabytes (10⁶) a second */
export function getFile(stage: Stage, action: Action, size: number): Promise<Sample> {
  return transfer(stage, action, [], size);
}

async function transfer(
  stage: Stage,
  { href, header }: Action,
  what: readonly string[],
  size: number,
): Promise<Sample> {
  const headers = Object.entries(header).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const form = "%{time_total} %{size_upload} %{size_download}";
  const { stdout, cpuSeconds } = await stage.run(stage.programs.curl.path, [
    "-sSf",
    "--output",
    "/dev/null",
    "--write-out",
    form,
    ...headers,
    ...what,
    href,
  ]);
  const [seconds = 0, up = 0, down = 0] = stdout.split(" ").map(Number);
  if (Math.max(up, down) !== size) throw new Error(`curl moved ${Math.max(up, down)} of ${size} bytes of ${href}`);
  return { value: size / 1e6 / seconds, clientCpu: cpuSeconds };
}
