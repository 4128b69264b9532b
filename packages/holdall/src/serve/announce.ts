import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { formatListen, type Config } from "../config/index.ts";

/** What a socket says that is bound to all addresses of this machine. */
const ALL_ADDRESSES = new Set(["0.0.0.0", "::"]);

/** Says where the server is, for programs in the first line and for people in the rest. */
export function announce(config: Config, address: AddressInfo, stdout: Writable): void {
  const { port } = address;
  const local = `http://${formatListen({ host: config.listen.host, port })}`;
  const known = config.publicUrl ?? (ALL_ADDRESSES.has(address.address) ? undefined : local);
  const choice =
    known === undefined
      ? "with names of your choice, and for HOST the name by which others reach this machine; --public-url puts it here"
      : "with names of your choice";
  stdout.write(
    [
      `Holdall listening on ${local}`,
      "",
      `To keep a repository's large files here, run in it (${choice}):`,
      "",
      `    git lfs install`,
      `    git config -f .lfsconfig lfs.url ${known?.replace(/\/$/, "") ?? `http://HOST:${port}`}/team/project`,
      `    git lfs track "*.bin"`,
      `    git add .lfsconfig .gitattributes`,
      "",
      "",
    ].join("\n"),
  );
}
