import type { Contender } from "./lfs-server.ts";
import type { Stage } from "./stage.ts";

/** One load. */
export interface Bench {
  /** What it is called on the command line, and in the markers of the page. */
  readonly name: string;
  readonly title: string;
  /** What is done and how it is measured, for the page. */
  readonly about: string;
  /** @param peers other servers to put beside Holdall, where the load allows it */
  run(stage: Stage, peers: readonly Contender[]): Promise<Findings>;
}

export interface Findings {
  readonly aims: readonly Outcome[];
  /** Markdown. */
  readonly tables: readonly string[];
}

/** Whether an aim was met. */
export interface Outcome {
  readonly aim: string;
  readonly reached: string;
  readonly met: boolean;
}

/** @param show as it stands in the page; the comparison is with the exact value */
export function atLeast(aim: string, limit: number, value: number, show: (value: number) => string): Outcome {
  return { aim: `${aim}: ≥ ${show(limit)}`, reached: show(value), met: value >= limit };
}

/** @param show as it stands in the page; the comparison is with the exact value */
export function below(aim: string, limit: number, value: number, show: (value: number) => string): Outcome {
  return { aim: `${aim}: < ${show(limit)}`, reached: show(value), met: value < limit };
}
