import { allowsAnonymousWrite } from "@holdall/identity";
import { formatListen, isLoopback } from "./address.ts";
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
  return problems;
}
