import type { ServerProcess } from "./server-process.ts";
import type { Stage } from "./stage.ts";

/** An LFS server under load. */
export interface LfsServer {
  readonly process: ServerProcess;
  /** Of the repository that the loads use. */
  readonly lfsUrl: string;
}

/** One of the servers that are compared. */
export interface Contender {
  readonly name: string;
  /** Starts it with nothing in it. */
  start(stage: Stage): Promise<LfsServer>;
}

/** The repository of all loads. */
export const REPOSITORY = "bench/load";
