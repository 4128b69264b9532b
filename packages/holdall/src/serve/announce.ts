import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { formatListen, type Config } from "../config/index.ts";

/** Says where the server is, for programs in the first line and for people in the rest. */
export function announce(config: Config, address: AddressInfo, stdout: Writable): void {
  const local = `http://${formatListen({ host: config.listen.host, port: address.port })}`;
  const url = config.publicUrl ?? local;
  stdout.write(
    [
      `Holdall listening on ${local}`,
      "",
      "To keep a repository's large files here, run in it (with names of your choice):",
      "",
      `    git lfs install --local`,
      `    git config -f .lfsconfig lfs.url ${url.replace(/\/$/, "")}/team/project`,
      `    git lfs track "*.bin"`,
      `    git add .lfsconfig .gitattributes`,
      "",
      "",
    ].join("\n"),
  );
}
