import type { AddressInfo } from "node:net";
import { Access, ActionTokens, Authenticator } from "@holdall/identity";
import { LfsServer } from "@holdall/lfs-http";
import type { RepositoryName } from "@holdall/lfs-protocol";
import { LfsService, type LfsEvent, type TransferPolicy } from "@holdall/lfs-service";
import { actionSecret, formatListen, type Config } from "../config/index.ts";
import type { Logger } from "../log.ts";
import { StartError } from "./errors.ts";
import type { Storage } from "./storage.ts";

/** One process's server. */
export class Instance {
  readonly address: AddressInfo;
  readonly #server: LfsServer;
  readonly #logger: Logger;
  readonly #drainTimeout: number;

  private constructor(o: { address: AddressInfo; server: LfsServer; logger: Logger; drainTimeout: number }) {
    this.address = o.address;
    this.#server = o.server;
    this.#logger = o.logger;
    this.#drainTimeout = o.drainTimeout;
  }

  /** @throws StartError when it cannot listen, ConfigError when it has no secret */
  static async start(config: Config, logger: Logger, { metadata, store }: Storage): Promise<Instance> {
    const service = new LfsService({
      store,
      layout: config.layout,
      metadata,
      access: new Access(config.access),
      actionTokens: new ActionTokens({ secret: Buffer.from(await actionSecret(config)) }),
      createRepositories: config.createRepositories,
      actionLifetime: Math.floor(config.actionLifetime / 1000),
      maxBatchObjects: config.limits.batchObjects,
      transferPolicy: transferPolicies(config),
      rehashLimit: config.rehashLimit,
      onEvent: (event) => logEvent(logger, event),
    });
    const server = new LfsServer({
      service,
      authenticator: new Authenticator({ users: metadata.users, tokens: metadata.tokens }),
      logger,
      limits: config.limits,
      trustedProxies: config.trustedProxies,
      ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    });
    const address = await listen(server, config);
    return new Instance({ address, server, logger, drainTimeout: config.limits.drainTimeout });
  }

  /** Lets what is under way finish, within the limit. */
  async stop(): Promise<void> {
    const finished = await this.#server.drain(this.#drainTimeout);
    if (!finished) this.#logger.warn("transfers that were still under way have been cut: limits.drainTimeout is over");
  }
}

/** How the bytes of a repository go: as its rule says, and of what that does not say, as it is for all. */
function transferPolicies(config: Config): (repository: RepositoryName) => TransferPolicy {
  const { transferRules } = config;
  return (repository) => {
    const rule = transferRules.find(({ repositories }) => repositories.matches(repository));
    return {
      mode: rule?.transfer ?? config.transfer,
      multipartThreshold: rule?.multipartThreshold ?? config.multipartThreshold,
      partSize: rule?.partSize ?? config.partSize,
    };
  };
}

async function listen(server: LfsServer, config: Config): Promise<AddressInfo> {
  try {
    return await server.listen(config.listen);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const where = formatListen(config.listen);
    switch (code) {
      case "EADDRINUSE":
        throw new StartError(`${where} is in use by another program: stop it, or name another address with --listen`, {
          cause,
        });
      case "EACCES":
        throw new StartError(`this user may not listen on ${where}: name a port from 1024 up with --listen`, { cause });
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        throw new StartError(`${where} is not an address of this machine: name another with --listen`, { cause });
      default:
        throw cause;
    }
  }
}

function logEvent(logger: Logger, event: LfsEvent): void {
  const { type, requestId: reqId, ...about } = event;
  const details = { reqId, ...about };
  switch (type) {
    case "repository-created":
      logger.info(details, "repository created");
      return;
    case "lock-forced":
      logger.warn(details, "lock taken away by force");
      return;
    case "object-healed":
      logger.warn(details, "damaged object replaced by a good copy");
      return;
    case "object-damaged":
      logger.error(details, "object damaged or missing in the store");
      return;
  }
}
