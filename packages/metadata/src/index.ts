export { MetadataError, type MetadataErrorCode } from "./errors.ts";
export type * from "./port.ts";
export { openSqlite, type SqliteOptions } from "./sqlite/open.ts";
