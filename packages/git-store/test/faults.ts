import { FaultyLayer, StorageError, type Fault, type ObjectStore } from "@holdall/object-store";

/** A store that did not answer. */
export const lost = (
  code: "unavailable" | "conflict",
  o: { uncertain?: boolean; retryable?: boolean } = {},
): StorageError => new StorageError(code, "no answer", o);

/** Strikes the calls of one kind, the first so many times. */
export function faulty(
  store: ObjectStore,
  wanted: readonly [Fault["call"], (key: string) => boolean],
  faults: Omit<Fault, "call">[],
): ObjectStore {
  return new FaultyLayer(store, (call, key) => {
    if (call !== wanted[0] || !wanted[1](key)) return undefined;
    const fault = faults.shift();
    return fault && { call, ...fault };
  });
}
