import { join } from "node:path";
import { type FoundService, findService, type ServiceName } from "../../scripts/services.ts";
import { cleanEnvironment } from "../../test/support/holdall.ts";
import { type Contender, REPOSITORY } from "./lfs-server.ts";
import { freePort, ServerProcess, type ServerCommand } from "./server-process.ts";

/** How to run a peer on a port, with its data below a folder. */
interface Peer {
  readonly service: ServiceName;
  /** Of the LFS API, below the origin. */
  readonly path: string;
  command(port: number, data: string): Pick<ServerCommand, "args" | "env">;
}

const PEERS: readonly Peer[] = [
  {
    // https://github.com/git-lfs/lfs-test-server#running
    service: "lfs-test-server",
    path: REPOSITORY,
    command: (port, data) => ({
      args: [],
      env: {
        ...cleanEnvironment(),
        // A PORT of this machine's would count more than LFS_LISTEN.
        PORT: "",
        LFS_LISTEN: `tcp://127.0.0.1:${port}`,
        LFS_HOST: `127.0.0.1:${port}`,
        LFS_METADB: `${data}.db`,
        LFS_CONTENTPATH: data,
        LFS_PUBLIC: "true",
      },
    }),
  },
  {
    // https://github.com/jasonwhite/rudolfs
    service: "rudolfs",
    path: `api/${REPOSITORY}`,
    command: (port, data) => ({ args: ["--host", `127.0.0.1:${port}`, "local", "--path", data] }),
  },
];

/** The other LFS servers that are on this machine. */
export async function findPeers(): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const peer of PEERS) {
    const found = await findService(peer.service);
    if (!("missing" in found)) contenders.push(contender(peer, found));
  }
  return contenders;
}

function contender(peer: Peer, { path: program, version }: FoundService): Contender {
  const name = `${peer.service} ${version}`;
  return {
    name,
    optional: true,
    async start(stage, given) {
      const folder = given ?? (await stage.folder(peer.service));
      const port = await freePort();
      const command = peer.command(port, join(folder, "data"));
      const server = await ServerProcess.start(stage, { name, program, ...command, folder, ready: { port } });
      return { process: server, lfsUrl: `${server.origin}/${peer.path}` };
    },
  };
}
