import { allowsAnonymousWrite } from "@holdall/identity";
import { StorageError } from "@holdall/object-store";
import { formatListen, isLoopback } from "./address.ts";
import { keyringOf } from "./encryption.ts";
import type { Config } from "./schema.ts";
import { formatOrigin, type Settings } from "./settings.ts";

/**
 * Whether only this machine can reach the server: it listens on a loopback address, and nothing says that a proxy in
 * front of it brings in others.
 */
export function onlyThisMachine(config: Pick<Config, "listen" | "publicUrl" | "trustedProxies">): boolean {
  const { listen, publicUrl, trustedProxies } = config;
  if (!isLoopback(listen.host) || trustedProxies.length > 0) return false;
  return publicUrl === undefined || isLoopback(new URL(publicUrl).hostname);
}

/** What is wrong about values that are each right: a line for each. */
export function checkTogether(config: Config, settings: Settings): string[] {
  const problems: string[] = [];
  const refuse = (path: string, message: string): void => {
    const origin = settings.get(path)?.origin;
    problems.push(`${origin === undefined ? "" : `${formatOrigin(origin)}: `}${path}: ${message}`);
  };
  if (allowsAnonymousWrite(config.access) && !config.allowAnonymousWrite && !onlyThisMachine(config)) {
    refuse(
      "access",
      `anyone may write, and other machines can reach ${config.publicUrl ?? formatListen(config.listen)}; ` +
        "give that right to users instead, or set allowAnonymousWrite: true",
    );
  }
  if (config.store.kind === "memory" && config.workers > 1) {
    refuse("store", "processes cannot share memory:; set workers to 1, or name a file store");
  }
  checkEncryption(config, refuse);
  checkCache(config, settings, refuse);
  return problems;
}

function checkCache(config: Config, settings: Settings, refuse: (path: string, message: string) => void): void {
  if (!settings.has("cache.size")) {
    if (settings.has("cache.path")) refuse("cache.path", "there is no cache without cache.size: set that too");
    return;
  }
  if (config.store.kind === "file" || config.store.kind === "memory") {
    refuse(
      "cache.size",
      `a ${config.store.kind} store gains nothing by a cache, which is for stores in clouds; remove it`,
    );
  }
}

function checkEncryption(config: Config, refuse: (path: string, message: string) => void): void {
  const { current, keys } = config.encryption;
  if (current === undefined && keys.length === 0) return;
  if (current === undefined) {
    refuse("encryption.keys", "name the one that new objects are encrypted with, by its id, in encryption.current");
  } else {
    try {
      keyringOf(config);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      refuse("encryption.keys", error.message);
    }
  }
  const past =
    "lets bytes pass the server by, which alone can encrypt and decrypt them; set it to proxy, or remove encryption";
  if (config.transfer !== "proxy") refuse("transfer", `${config.transfer} ${past}`);
  for (const [index, { transfer = "proxy" }] of config.transferRules.entries()) {
    if (transfer !== "proxy") refuse("transferRules", `rule ${index + 1}: ${transfer} ${past}`);
  }
}
