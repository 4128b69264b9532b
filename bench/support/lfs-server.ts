import type { ServerProcess } from "./server-process.ts";
import type { Contestant, Sample } from "./series.ts";
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
  /** Whether a load goes on without it when it cannot take part: so with the servers of others. */
  readonly optional?: true;
  /** @param folder for its data, new or from before; a new one unless given */
  start(stage: Stage, folder?: string): Promise<LfsServer>;
}

/** Does what the load asks of a contender. @returns undefined when that is optional and failed, so that it is left out */
export async function admit<T>(
  stage: Stage,
  { name, optional }: Contender,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (optional !== true) throw error;
    stage.leaveOut(name, error);
    return undefined;
  }
}

/** A contender that takes its turns for as long as it can. */
export function contestantOf<T extends Sample>(
  stage: Stage,
  contender: Contender,
  run: (round: number) => Promise<T>,
): Contestant<T> {
  return { name: contender.name, run: (round) => admit(stage, contender, () => run(round)) };
}

/** The repository of all loads. */
export const REPOSITORY = "bench/load";
