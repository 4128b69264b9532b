import cluster from "node:cluster";
import type { Writable } from "node:stream";
import type { Config } from "../config/index.ts";
import { isForeseen } from "../foreseen.ts";
import { createLogger, type Logger } from "../log.ts";
import { announce } from "./announce.ts";
import { claimDataFolder, claimStore } from "./claim.ts";
import { Instance } from "./instance.ts";
import { keepHouse, openStorage, tryStore } from "./storage.ts";
import { untilStopped, untilWorkerStopped } from "./stop.ts";
import { reportStartFailure, Workers } from "./workers.ts";

export interface ServeIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * Serves until the process is told to stop, and then lets transfers finish. With `workers: 1` this process does the work,
 * otherwise it starts that many copies of itself and does the housekeeping.
 * @returns the exit code: 0 after a stop, 1 when something else ended it
 * @throws StartError, ConfigError, StorageError or MetadataError when it cannot start
 */
export async function serve(config: Config, io: ServeIo): Promise<number> {
  const logger = createLogger(config.log, io.stderr);
  if (cluster.isWorker) return await serveAsWorker(config, logger.child({ worker: cluster.worker?.id }));

  using _claim = await claimDataFolder(config.data);
  await claimStore(config.store);
  await using storage = await openStorage(config, logger);
  await tryStore(storage.store, config);
  using _housekeeping = await keepHouse(storage, { logger, actionLifetime: config.actionLifetime });
  if (config.workers > 1) {
    const workers = await Workers.start(config.workers, logger);
    // Whoever reads that it serves may tell it to stop.
    const stopped = untilStopped();
    announce(config, workers.address, io.stdout);
    const reason = await Promise.race([stopped, workers.failed]);
    logger.info({ reason }, "stopping");
    await workers.stop();
    return reason === "failed" ? 1 : 0;
  }

  const instance = await Instance.start(config, logger, storage);
  const stopped = untilStopped();
  announce(config, instance.address, io.stdout);
  const reason = await stopped;
  logger.info({ reason }, "stopping");
  await instance.stop();
  return 0;
}

async function serveAsWorker(config: Config, logger: Logger): Promise<number> {
  const stopped = untilWorkerStopped();
  let serves = false;
  try {
    await using storage = await openStorage(config, logger);
    const instance = await Instance.start(config, logger, storage);
    serves = true;
    logger.info("worker serves");
    await stopped;
    await instance.stop();
    return 0;
  } catch (error) {
    if (serves || !isForeseen(error)) throw error;
    await reportStartFailure(error.message);
    return 1;
  } finally {
    // The line to the primary would keep this process running.
    cluster.worker?.disconnect();
  }
}
