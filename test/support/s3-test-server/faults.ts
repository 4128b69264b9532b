import type { Operation } from "./operations.ts";

/** What goes wrong with a request, in this order; mostly it is one of these. */
export interface Fault {
  /** The connection breaks when so many bytes of the request's body have come, and nothing is done. */
  readonly cutAfter?: number;
  /** When all of it has come, it waits before anything is done. */
  readonly hold?: Hold;
  /** Nothing is done, not even the signature checked, and this is the answer; one of 200 comes as a success. */
  readonly answer?: PlantedError;
  /** It is done, and the answer waits. */
  readonly holdAnswer?: Hold;
  /** It is done, and the connection breaks instead of an answer. */
  readonly lose?: boolean;
  /** The connection breaks after so many bytes of the answer's body, all of which was announced. */
  readonly truncateAfter?: number;
}

export interface PlantedError {
  readonly status: number;
  readonly code: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

/** Settles when the request may go on; never, when nothing more is to come of it. Called once for each request. */
export type Hold = () => Promise<unknown>;

/** Which requests; all that is given has to fit. */
export interface Target {
  readonly method?: string;
  readonly operation?: Operation | readonly Operation[];
  /** The whole key, or what is to be found in it. */
  readonly key?: string | RegExp;
  /** How many such requests pass before the first is struck; none by default. */
  readonly skip?: number;
  /** How many are struck after that; one by default. */
  readonly times?: number;
}

interface Struck {
  readonly method: string;
  readonly operation: Operation | undefined;
  readonly key: string;
}

interface Plan {
  readonly target: Target;
  readonly fault: Fault;
  /** How many requests it has seen. */
  seen: number;
}

/** The faults that requests are to meet. */
export class Faults {
  readonly #plans = new Set<Plan>();

  /** @returns what ends it, before or after its time */
  plan(target: Target, fault: Fault): () => void {
    const plan = { target, fault, seen: 0 };
    this.#plans.add(plan);
    return () => void this.#plans.delete(plan);
  }

  /** The fault of the next request; that of the oldest plan where several fit. */
  next(request: Struck): Fault | undefined {
    let struck: Fault | undefined;
    for (const plan of this.#plans) {
      if (fits(plan.target, request) && isDue(plan)) struck ??= plan.fault;
    }
    return struck;
  }
}

function fits({ method, operation, key }: Target, request: Struck): boolean {
  return (
    (method === undefined || method === request.method) &&
    (operation === undefined || [operation].flat().some((one) => one === request.operation)) &&
    (key === undefined || (typeof key === "string" ? key === request.key : key.test(request.key)))
  );
}

/** Counts the request. */
function isDue(plan: Plan): boolean {
  const { skip = 0, times = 1 } = plan.target;
  plan.seen += 1;
  return plan.seen > skip && plan.seen <= skip + times;
}

/** Holds requests until so many have come to it: they meet. */
export function meeting(count: number): Hold {
  const { promise, resolve } = Promise.withResolvers<void>();
  let come = 0;
  return () => {
    come += 1;
    if (come === count) resolve();
    return promise;
  };
}
