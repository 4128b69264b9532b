import { join } from "node:path";
import { cleanEnvironment, HOLDALL_BIN, LISTENING } from "../../test/support/holdall.ts";
import { type Contender, type LfsServer, REPOSITORY } from "./lfs-server.ts";
import { ServerProcess } from "./server-process.ts";
import type { Stage } from "./stage.ts";

export const ONE_PROCESS: Contender = {
  name: "Holdall, one process",
  start: async (stage, folder) => startHoldall(stage, folder ?? (await stage.folder("holdall"))),
};

export const TWO_WORKERS: Contender = {
  name: "Holdall, two workers",
  start: async (stage, folder) => startHoldall(stage, folder ?? (await stage.folder("holdall")), 2),
};

/**
 * Starts `holdall serve` as a user would, with its data below the folder, new or from before.
 * @param o.env beside what every program has
 */
export async function startHoldall(
  stage: Stage,
  folder: string,
  workers: 1 | 2 = 1,
  o: { readonly args?: readonly string[]; readonly env?: Readonly<NodeJS.ProcessEnv> } = {},
): Promise<LfsServer> {
  const data = ["--data", dataFolder(folder)];
  const server = await ServerProcess.start(stage, {
    name: workers === 1 ? ONE_PROCESS.name : TWO_WORKERS.name,
    program: process.execPath,
    args: [HOLDALL_BIN, "serve", ...data, "--listen", "127.0.0.1:0", "--workers", `${workers}`, ...(o.args ?? [])],
    env: { ...cleanEnvironment(), ...o.env },
    folder,
    ready: { line: LISTENING },
  });
  return { process: server, lfsUrl: `${server.origin}/${REPOSITORY}` };
}

export function dataFolder(folder: string): string {
  return join(folder, "data");
}
