export type { BatchAction, BatchEntry, BatchOutcome } from "./batch.ts";
export { sweepIncoming, type TransferMode } from "./direct.ts";
export { LfsError, toLfsError, type LfsErrorCode } from "./errors.ts";
export type { LfsEvent, OnLfsEvent } from "./events.ts";
export type { LockFilter, SortedLocks } from "./locks.ts";
export { LfsService, type LfsServiceOptions } from "./service.ts";
export type { ByteGrant, DownloadGrant, ObjectName } from "./transfers.ts";
