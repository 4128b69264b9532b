import { join } from "node:path";
import { findService, type FoundService } from "../../scripts/services.ts";
import { type Contender, REPOSITORY } from "./lfs-server.ts";
import { freePort, ServerProcess } from "./server-process.ts";

/** The other LFS servers that are on this machine. */
export async function findPeers(): Promise<Contender[]> {
  const found = await findService("rudolfs");
  return "missing" in found ? [] : [rudolfs(found)];
}

/** https://github.com/jasonwhite/rudolfs */
function rudolfs({ path, version }: FoundService): Contender {
  const name = `rudolfs ${version}`;
  return {
    name,
    async start(stage) {
      const folder = await stage.folder("rudolfs");
      const port = await freePort();
      const args = ["--host", `127.0.0.1:${port}`, "local", "--path", join(folder, "data")];
      const server = await ServerProcess.start(stage, { name, program: path, args, folder, ready: { port } });
      return { process: server, lfsUrl: `${server.origin}/api/${REPOSITORY}` };
    },
  };
}
