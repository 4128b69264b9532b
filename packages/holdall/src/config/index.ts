export { formatListen } from "./address.ts";
export { keyringOf } from "./encryption.ts";
export { loadConfig, type LoadedConfig } from "./load.ts";
export type { Config } from "./schema.ts";
export { actionSecret } from "./secret.ts";
export type { FlagName } from "./text-sources.ts";
