import { Command } from "commander";
import { Exit } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addWhereOptions, loadFor, type WhereOptions } from "../options.ts";

interface ServeOptions extends WhereOptions {
  readonly listen?: string;
  readonly publicUrl?: string;
  readonly store?: string;
  readonly transfer?: string;
  readonly workers?: string;
}

export function serveCommand(io: Io): Command {
  return addWhereOptions(new Command("serve").description("Run the server until it is told to stop."))
    .option("--listen <host:port>", "where to listen; port 0 takes any free port (default: 127.0.0.1:8080)")
    .option("--public-url <url>", "the address by which clients reach the server")
    .option("--store <url>", "where the objects are, such as file:///srv/lfs (default: the data folder)")
    .option("--transfer <way>", "how bytes go: proxy, direct or auto (default: proxy, through the server)")
    .option("--workers <number>", "how many processes share the port (default: 1)")
    .action(async ({ listen, publicUrl, store, transfer, workers, ...where }: ServeOptions) => {
      const { config } = await loadFor(io, where, {
        ...(listen === undefined ? {} : { "--listen": listen }),
        ...(publicUrl === undefined ? {} : { "--public-url": publicUrl }),
        ...(store === undefined ? {} : { "--store": store }),
        ...(transfer === undefined ? {} : { "--transfer": transfer }),
        ...(workers === undefined ? {} : { "--workers": workers }),
      });
      // Loaded only here: the other commands start faster without the server.
      const { serve } = await import("../../serve/index.ts");
      const code = await serve(config, { stdout: io.stdout, stderr: io.stderr });
      if (code !== 0) throw new Exit(code);
    });
}
