import cluster, { type Address, type Worker } from "node:cluster";
import type { AddressInfo } from "node:net";
import type { Logger } from "../log.ts";
import { StartError } from "./errors.ts";

/** So many in a row that died before they served are no accident. */
const MAX_FAILED_STARTS = 5;

/** What a worker sends before it ends because it cannot serve. */
interface StartFailure {
  readonly cannotStart: string;
}

/** For a worker that cannot serve: the primary says why, once, since all workers will have found the same. */
export async function reportStartFailure(cannotStart: string): Promise<void> {
  await new Promise((sent) => process.send?.({ cannotStart } satisfies StartFailure, sent));
}

/**
 * Copies of this process that share the port, the database and the store. When one dies the others go on, and a new one
 * takes its place; only requests that the dead one was serving are lost, and their clients repeat them.
 */
export class Workers {
  readonly address: AddressInfo;
  /** Resolves when workers keep dying before they serve. */
  readonly failed: Promise<"failed">;
  readonly #logger: Logger;
  readonly #fail: (reason: "failed") => void;
  #stopping = false;
  #failedStarts = 0;

  private constructor(address: AddressInfo, logger: Logger) {
    this.address = address;
    this.#logger = logger;
    const { promise, resolve } = Promise.withResolvers<"failed">();
    this.failed = promise;
    this.#fail = resolve;
  }

  /** Starts the workers; resolves when all of them serve. @throws StartError when one of them cannot */
  static async start(count: number, logger: Logger): Promise<Workers> {
    const started = Array.from({ length: count }, () => cluster.fork());
    const results = await Promise.allSettled(started.map(serving));
    const failure = results.find((result) => result.status === "rejected");
    const address = results.find((result) => result.status === "fulfilled")?.value;
    if (failure !== undefined || address === undefined) {
      await stopAll();
      throw failure?.reason;
    }
    const workers = new Workers(
      { address: address.address, family: `IPv${address.addressType}`, port: address.port },
      logger,
    );
    for (const worker of started) workers.#replaceWhenDead(worker);
    return workers;
  }

  /** Tells all workers to stop; resolves when they have let their transfers finish. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await stopAll();
  }

  #replaceWhenDead(worker: Worker): void {
    const of = { worker: worker.id, workerPid: worker.process.pid };
    // A message to a worker that was just killed fails so; that it is dead is told by its exit.
    worker.on("error", (error) => this.#logger.error({ ...of, err: error }, "a worker cannot be reached"));
    const replace = (): void => {
      const { exitCode: code, signalCode: signal } = worker.process;
      if (this.#stopping) return;
      this.#logger.error({ ...of, code, signal }, "a worker died: starting another");
      void this.#startAnother();
    };
    if (worker.isDead()) replace();
    else worker.once("exit", replace);
  }

  async #startAnother(): Promise<void> {
    const worker = cluster.fork();
    this.#replaceWhenDead(worker);
    try {
      await serving(worker);
      this.#failedStarts = 0;
    } catch (error) {
      if (this.#stopping) return;
      this.#logger.error({ worker: worker.id, err: error }, "a worker could not start");
      this.#failedStarts += 1;
      if (this.#failedStarts < MAX_FAILED_STARTS) return;
      this.#stopping = true;
      this.#logger.error({ err: error }, "workers keep ending before they serve: the server stops");
      this.#fail("failed");
    }
  }
}

/** Where the worker listens. @throws StartError with its reason when it ends before it does */
function serving(worker: Worker): Promise<Address> {
  return new Promise((resolve, reject) => {
    let reason = "a worker ended while it was starting: the lines before may say why";
    worker.once("message", ({ cannotStart }: StartFailure) => (reason = cannotStart));
    worker.once("listening", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new StartError(reason)));
  });
}

async function stopAll(): Promise<void> {
  const alive = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  await Promise.all(
    alive.map(
      (worker) =>
        new Promise<void>((resolve) => {
          worker.once("exit", () => resolve());
          worker.process.kill("SIGTERM");
        }),
    ),
  );
}
