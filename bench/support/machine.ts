import { readFile, realpath } from "node:fs/promises";
import { cpus, release, tmpdir, totalmem, type } from "node:os";
import { cleanEnvironment, HOLDALL_BIN } from "../../test/support/holdall.ts";
import { GiB } from "./objects.ts";
import type { Programs } from "./stage.ts";
import { runTimed } from "./timed-program.ts";

/** One line for each thing that results depend on. */
export async function describeMachine(programs: Programs): Promise<string[]> {
  const processors = cpus();
  const folder = await realpath(tmpdir());
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return [
    `${processors.length} × ${processors[0]?.model ?? "unknown"}, ${Math.round(totalmem() / GiB)} GiB of memory`,
    `${type()} ${release()}, data on ${fileSystemOf(folder, mounts)}`,
    [
      `Holdall ${await holdallVersion()}`,
      `Node ${process.versions.node}`,
      ...Object.entries(programs).map(([name, { version }]) => `${name} ${version}`),
    ].join(", "),
  ];
}

async function holdallVersion(): Promise<string> {
  const { stdout } = await runTimed(process.execPath, [HOLDALL_BIN, "--version"], { env: cleanEnvironment() });
  return stdout.trim();
}

/** The type of the file system that holds a folder. @param mounts in the form of /proc/self/mounts (fstab(5)) */
export function fileSystemOf(folder: string, mounts: string): string {
  let best = { point: "", type: "an unknown file system" };
  for (const line of mounts.split("\n")) {
    const [, escaped = "", type = ""] = line.split(" ");
    const point = escaped.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const holds = point !== "" && `${folder}/`.startsWith(point.endsWith("/") ? point : `${point}/`);
    // Of two at one place, the later one covers the earlier.
    if (holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}
