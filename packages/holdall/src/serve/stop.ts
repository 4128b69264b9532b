const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Why the server stops. */
export type StopReason = (typeof SIGNALS)[number];

/** Resolves when the process is told to stop. A second signal ends it at once, as users of a terminal expect. */
export function untilStopped(): Promise<StopReason> {
  return new Promise((resolve) => {
    const stop = (reason: StopReason): void => {
      for (const name of SIGNALS) process.off(name, stop);
      resolve(reason);
    };
    for (const name of SIGNALS) process.on(name, stop);
  });
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
