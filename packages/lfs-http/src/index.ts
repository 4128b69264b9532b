export { STATUS_OF } from "./errors.ts";
export type { LfsServerLimits, LfsServerOptions } from "./options.ts";
export { LfsServer } from "./server.ts";
