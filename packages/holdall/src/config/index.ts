export { formatListen, isLoopback, type ListenAddress } from "./address.ts";
export { onlyThisMachine } from "./cross-checks.ts";
export { ConfigError, ValueError } from "./errors.ts";
export { loadConfig, type LoadedConfig, type LoadOptions } from "./load.ts";
export type { Config } from "./schema.ts";
export { actionSecret } from "./secret.ts";
export type { FlagName } from "./text-sources.ts";
