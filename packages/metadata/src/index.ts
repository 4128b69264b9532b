export { MetadataError, type MetadataErrorCode } from "./errors.ts";
export type * from "./port.ts";
