import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  Capabilities,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  PutOptions,
  StoredObject,
} from "../port.ts";

/** A store around a store that passes every call on; a layer overrides those that it is about. */
export class Layer implements ObjectStore {
  protected readonly inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.inner = inner;
  }

  get capabilities(): Capabilities {
    return this.inner.capabilities;
  }

  stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    return this.inner.stat(key, o);
  }

  get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    return this.inner.get(key, o);
  }

  put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectStat> {
    return this.inner.put(key, body, o);
  }

  delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    return this.inner.delete(key, o);
  }

  list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat> {
    return this.inner.list(prefix, o);
  }

  sweep(): Promise<number> {
    return this.inner.sweep();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
