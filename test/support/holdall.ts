import { join } from "node:path";

/** The folder that holds the whole repository. */
export const CHECKOUT: string = join(import.meta.dirname, "..", "..");

export const HOLDALL_BIN: string = join(CHECKOUT, "packages", "holdall", "bin", "holdall.js");

/** The first line that `holdall serve` prints, with the address where it listens on this machine. */
export const LISTENING: RegExp = /^Holdall listening on (http:\/\/127\.0\.0\.1:\d+)$/;

/** This process's environment without `HOLDALL_*`, which would configure the servers under test. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("HOLDALL_")));
}
