import cluster, { type Address, type Worker } from "node:cluster";
import type { AddressInfo } from "node:net";
import type { Logger } from "../log.ts";
import { StartError } from "./errors.ts";

/** A worker that lived this long (milliseconds) had started well: its end is an accident, and another takes its place. */
const STARTED_WELL = 5_000;
/** So many that do not start in a row are no accident. */
const MAX_BAD_STARTS = 5;

/**
 * Copies of this process that share the port, the database and the store. When one dies the others go on, and a new one
 * takes its place; only requests that the dead one was serving are lost, and their clients repeat them.
 */
export class Workers {
  readonly address: AddressInfo;
  /** Resolves when workers keep dying as soon as they start. */
  readonly failed: Promise<"failed">;
  readonly #logger: Logger;
  readonly #fail: (reason: "failed") => void;
  #stopping = false;
  #badStarts = 0;

  private constructor(address: AddressInfo, logger: Logger) {
    this.address = address;
    this.#logger = logger;
    const { promise, resolve } = Promise.withResolvers<"failed">();
    this.failed = promise;
    this.#fail = resolve;
  }

  /** Starts the workers; resolves when all of them serve. @throws StartError when one of them cannot */
  static async start(count: number, logger: Logger): Promise<Workers> {
    const starting = Array.from({ length: count }, () => listening(cluster.fork()));
    const addresses = await Promise.allSettled(starting);
    const first = addresses.find((result) => result.status === "rejected");
    if (first !== undefined) {
      await stopAll();
      throw first.reason;
    }
    const address = addresses.find((result) => result.status === "fulfilled")?.value;
    if (address === undefined) throw new StartError("no worker was started");
    const workers = new Workers(
      { address: address.address, family: `IPv${address.addressType}`, port: address.port },
      logger,
    );
    for (const worker of alive()) workers.#replaceWhenDead(worker, Date.now());
    return workers;
  }

  /** Tells all workers to stop; resolves when they have let their transfers finish. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await stopAll();
  }

  #replaceWhenDead(worker: Worker, startedAt: number): void {
    worker.once("exit", (code: number, signal: string | null) => {
      if (this.#stopping) return;
      this.#logger.error(
        { worker: worker.id, pid: worker.process.pid, code, signal },
        "a worker died: starting another",
      );
      this.#badStarts = Date.now() - startedAt < STARTED_WELL ? this.#badStarts + 1 : 0;
      if (this.#badStarts >= MAX_BAD_STARTS) this.#fail("failed");
      else this.#replaceWhenDead(cluster.fork(), Date.now());
    });
  }
}

function alive(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}

/** Where the worker listens. The worker itself says on standard error why it does not. */
function listening(worker: Worker): Promise<Address> {
  return new Promise((resolve, reject) => {
    worker.once("listening", resolve);
    worker.once("exit", () => reject(new StartError("a worker could not start: the line before says why")));
  });
}

async function stopAll(): Promise<void> {
  await Promise.all(
    alive().map(
      (worker) =>
        new Promise<void>((resolve) => {
          worker.once("exit", () => resolve());
          worker.process.kill("SIGTERM");
        }),
    ),
  );
}
