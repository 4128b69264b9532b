import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  Capabilities,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  MultipartUploads,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PresignOptions,
  PutOptions,
  SignedRequest,
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

  put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return this.inner.put(key, body, o);
  }

  delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    return this.inner.delete(key, o);
  }

  list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat> {
    return this.inner.list(prefix, o);
  }

  copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion> {
    return this.inner.copy(from, to, o);
  }

  presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    return this.inner.presign(key, o);
  }

  get multipart(): MultipartUploads | undefined {
    return this.inner.multipart;
  }

  sweep(): Promise<number> {
    return this.inner.sweep();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
