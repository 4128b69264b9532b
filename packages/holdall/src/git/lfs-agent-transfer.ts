import { constants } from "node:os";
import { runAgent, type Connection, type Init } from "@holdall/lfs-agent";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Git passes on what the terminal has sent to all of them already; somebody who means it a second time takes longer, in milliseconds. */
const SAME_SIGNAL = 1000;

/**
 * Transfers objects as git-lfs says, over standard input and output.
 * @returns the exit code
 */
export async function transfer({ debug }: { readonly debug: boolean }): Promise<number> {
  const stopped = new AbortController();
  let stoppedBy: (typeof SIGNALS)[number] | undefined;
  let stoppedAt = 0;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stoppedBy === undefined) {
        [stoppedBy, stoppedAt] = [signal, Date.now()];
        stopped.abort(new Error(`stopped by ${signal}`));
      } else if (Date.now() - stoppedAt > SAME_SIGNAL) process.exit(128 + constants.signals[signal]);
    });
  }
  const log = debug ? await import("./lfs-agent-log.ts").then(({ openLog }) => openLog(process.cwd())) : undefined;
  await runAgent({
    input: process.stdin,
    output: process.stdout,
    connect: (init) => connect(init, log),
    signal: stopped.signal,
    ...(log === undefined ? {} : { debug: log }),
  });
  // It would keep the process, which has nothing more to read.
  process.stdin.destroy();
  return stoppedBy === undefined ? 0 : 128 + constants.signals[stoppedBy];
}

async function connect({ operation, remote }: Init, log: ((line: string) => void) | undefined): Promise<Connection> {
  // At once: the second loads the library of a cloud's only when it knows which.
  const [{ readLfsSettings, lfsFolder, lfsUrl }, { openRemote }, { parseRemoteUrl }, { formatStoreUrl, TraceLayer }] =
    await Promise.all([
      import("./lfs-agent-settings.ts"),
      import("./open-remote.ts"),
      import("./remote-url.ts"),
      import("@holdall/object-store/open"),
    ]);
  const settings = await readLfsSettings(process.cwd());
  const url = parseRemoteUrl(lfsUrl(settings, remote, operation));
  const name = formatStoreUrl(url.store);
  log?.(`objects are in ${name}`);
  const store = await openRemote(url);
  return {
    store: log === undefined ? store : new TraceLayer(store, log),
    name,
    folder: lfsFolder(settings),
    flat: url.layout === "bundles",
  };
}
