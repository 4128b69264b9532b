/** Why the server stops. */
export type StopReason = "SIGTERM" | "SIGINT" | "aborted";

/** Resolves when the process is told to stop. A second signal ends it at once, as users of a terminal expect. */
export function untilStopped(signal: AbortSignal | undefined): Promise<StopReason> {
  return new Promise((resolve) => {
    const stop = (reason: StopReason): void => {
      for (const name of ["SIGTERM", "SIGINT"] as const) process.off(name, stop);
      resolve(reason);
    };
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, stop);
    if (signal?.aborted === true) stop("aborted");
    signal?.addEventListener("abort", () => stop("aborted"), { once: true });
  });
}
