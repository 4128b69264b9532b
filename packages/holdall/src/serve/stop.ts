const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Why the server stops. */
export type StopReason = (typeof SIGNALS)[number] | "aborted";

/** Resolves when the process is told to stop. A second signal ends it at once, as users of a terminal expect. */
export function untilStopped(signal: AbortSignal | undefined): Promise<StopReason> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (reason: StopReason): void => {
      if (stopping) return;
      stopping = true;
      for (const name of SIGNALS) process.off(name, stop).once(name, endAtOnce);
      resolve(reason);
    };
    for (const name of SIGNALS) process.once(name, stop);
    if (signal?.aborted === true) stop("aborted");
    signal?.addEventListener("abort", () => stop("aborted"), { once: true });
  });
}

/** The signal again, now that nobody listens to it. */
function endAtOnce(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal);
}

/**
 * {@link untilStopped} for a worker. Terminals and service managers signal every process of a group, and the primary
 * passes on what it got itself, so more than one signal is nothing special here: whoever insists ends the primary, and
 * its workers end with it.
 */
export function untilWorkerStopped(): Promise<StopReason> {
  return new Promise((resolve) => {
    for (const name of SIGNALS) process.on(name, resolve);
  });
}
