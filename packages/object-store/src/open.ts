// What it takes to open a store by its URL and to use it, for programs that are started anew each time: nothing else is loaded.

export { StorageError, type StorageErrorCode } from "./errors.ts";
export { errnoOf } from "./fs/errors.ts";
export { isKey, MAX_KEY_BYTES, parseKey, type ObjectKey } from "./key.ts";
export { Layer } from "./layers/layer.ts";
export { RetryLayer } from "./layers/retry.ts";
export { TraceLayer } from "./layers/trace.ts";
export { VerifyLayer } from "./layers/verify.ts";
export { PART_SIZE, partSizeFor, sendParts } from "./parts.ts";
export type * from "./port.ts";
export { formatStoreUrl, openStore, parseStoreUrl, type StoreUrl } from "./store-url.ts";
