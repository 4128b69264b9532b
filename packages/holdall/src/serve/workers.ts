import cluster, { type Address, type Worker } from "node:cluster";
import type { AddressInfo } from "node:net";
import type { Logger } from "../log.ts";
import { StartError } from "./errors.ts";

/** So many workers in a row that did not come to serve are no accident. */
const MAX_FAILED_STARTS = 5;

/** What a worker sends before it ends because it cannot serve. */
interface StartFailure {
  readonly cannotStart: string;
}

/** Called by a worker: lets the primary say why, since every worker will have found the same. */
export function reportStartFailure(message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const report: StartFailure = { cannotStart: message };
    process.send?.(report, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

/**
 * Copies of this process that share the port, the database and the store. When one dies the others go on, and a new one
 * takes its place; only requests that the dead one was serving are lost, and their clients repeat them.
 */
export class Workers {
  readonly address: AddressInfo;
  /** Resolves when workers keep failing to start. */
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
    const addresses: Address[] = [];
    for (const result of results) {
      if (result.status === "fulfilled") addresses.push(result.value);
      else {
        await stopAll();
        throw result.reason;
      }
    }
    const [address] = addresses;
    if (address === undefined) throw new StartError("no worker was started: set workers to 1 or more");
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
    worker.once("exit", (code: number | null, signal: string | null) => {
      if (this.#stopping) return;
      this.#logger.error(
        { worker: worker.id, workerPid: worker.process.pid, code, signal },
        "a worker died: starting another",
      );
      this.#replace();
    });
  }

  #replace(): void {
    const worker = cluster.fork();
    this.#replaceWhenDead(worker)
  }
}
