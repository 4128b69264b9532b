import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PutOptions,
  StoredObject,
} from "../port.ts";
import { Layer } from "./layer.ts";

export type StoreCall = "stat" | "get" | "put" | "delete" | "list";

/** Where in a call the fault strikes: before the store sees it, in its body after `bytes`, or after it has succeeded. */
export type Moment = { readonly at: "before" | "after" } | { readonly at: "body"; readonly bytes: number };

export interface Fault {
  readonly call: StoreCall;
  readonly moment: Moment;
  /** Thrown by the call, or by its body; a promise that never settles makes a store that hangs. */
  readonly error: unknown;
}

/** Looked at for every call; undefined lets it pass. Each fault returned strikes once. */
export type FaultPlan = (call: StoreCall, key: string) => Fault | undefined;

/**
 * Fails where it is told to: before the call, in the middle of a body, or after the store has done what was asked but
 * before the caller hears of it (the time-out after success). For tests of whoever uses a store.
 */
export class FaultyLayer extends Layer {
  readonly #plan: FaultPlan;

  constructor(inner: ObjectStore, plan: FaultPlan) {
    super(inner);
    this.#plan = plan;
  }

  override stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#strike("stat", key, () => this.inner.stat(key, o));
  }

  override get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    return this.#strike("get", key, async (fault) => {
      const object = await this.inner.get(key, o);
      if (fault?.moment.at !== "body") return object;
      const { size, etag, modifiedAt, range } = object;
      return { key, size, etag, modifiedAt, range, body: broken(object.body, fault.moment.bytes, fault.error) };
    });
  }

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return this.#strike("put", key, (fault) =>
      this.inner.put(key, fault?.moment.at === "body" ? broken(body, fault.moment.bytes, fault.error) : body, o),
    );
  }

  override delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    return this.#strike("delete", key, () => this.inner.delete(key, o));
  }

  override async *list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat> {
    await this.#strike("list", prefix, async () => undefined);
    yield* this.inner.list(prefix, o);
  }

  async #strike<T>(call: StoreCall, key: string, action: (fault: Fault | undefined) => Promise<T>): Promise<T> {
    const fault = this.#plan(call, key);
    if (fault?.moment.at === "before") throw await fault.error;
    const result = await action(fault);
    if (fault?.moment.at === "after") throw await fault.error;
    return result;
  }
}

async function* broken(body: AsyncIterable<Uint8Array>, bytes: number, error: unknown): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of body) {
    if (chunk.length >= left) {
      if (left > 0) yield chunk.subarray(0, left);
      throw await error;
    }
    left -= chunk.length;
    yield chunk;
  }
  throw await error;
}
