import { parseKey, type ObjectKey } from "../key.ts";
import type {
  CallOptions,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  MultipartLimits,
  MultipartUploads,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PresignOptions,
  PutOptions,
  SignedRequest,
  StoredObject,
  UploadedPart,
} from "../port.ts";
import { Layer } from "./layer.ts";

/** The part of a store below a prefix, as a store of its own. */
export class PrefixLayer extends Layer {
  readonly #prefix: string;
  readonly #multipart: MultipartUploads | undefined;

  /** @param prefix whole segments, without a slash at either end. @throws StorageError `invalid` when it is no key */
  constructor(inner: ObjectStore, prefix: string) {
    super(inner);
    this.#prefix = `${parseKey(prefix)}/`;
    const down = (key: ObjectKey): ObjectKey => this.#down(key);
    this.#multipart = inner.multipart === undefined ? undefined : new PrefixedUploads(inner.multipart, down);
  }

  override get multipart(): MultipartUploads | undefined {
    return this.#multipart;
  }

  override async stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    const stat = await this.inner.stat(this.#down(key), o);
    if (stat === undefined) return undefined;
    const { modifiedAt, mark } = stat;
    return { ...renamed(stat, key), modifiedAt, ...(mark === undefined ? {} : { mark }) };
  }

  override async get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    const { size, etag, modifiedAt, range, body } = await this.inner.get(this.#down(key), o);
    return { key, size, etag, modifiedAt, range, body };
  }

  override async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return renamed(await this.inner.put(this.#down(key), body, o), key);
  }

  override async delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    await this.inner.delete(this.#down(key), o);
  }

  override async *list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    const after = o.after === undefined ? {} : { after: this.#prefix + o.after };
    for await (const stat of this.inner.list(this.#prefix + prefix, { ...o, ...after })) {
      yield { ...renamed(stat, parseKey(stat.key.slice(this.#prefix.length))), modifiedAt: stat.modifiedAt };
    }
  }

  override async copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion> {
    return renamed(await this.inner.copy(this.#down(from), this.#down(to), o), to);
  }

  override presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    return this.inner.presign(this.#down(key), o);
  }

  #down(key: ObjectKey): ObjectKey {
    return parseKey(this.#prefix + key);
  }
}

class PrefixedUploads implements MultipartUploads {
  readonly #inner: MultipartUploads;
  readonly #down: (key: ObjectKey) => ObjectKey;

  constructor(inner: MultipartUploads, down: (key: ObjectKey) => ObjectKey) {
    this.#inner = inner;
    this.#down = down;
  }

  get limits(): MultipartLimits {
    return this.#inner.limits;
  }

  create(key: ObjectKey, o?: Parameters<MultipartUploads["create"]>[1]): Promise<string> {
    return this.#inner.create(this.#down(key), o);
  }

  putPart(key: ObjectKey, ...rest: Rest<MultipartUploads["putPart"]>): Promise<UploadedPart> {
    return this.#inner.putPart(this.#down(key), ...rest);
  }

  presignPart(key: ObjectKey, ...rest: Rest<MultipartUploads["presignPart"]>): Promise<SignedRequest> {
    return this.#inner.presignPart(this.#down(key), ...rest);
  }

  parts(key: ObjectKey, upload: string, o?: CallOptions): AsyncIterable<UploadedPart> {
    return this.#inner.parts(this.#down(key), upload, o);
  }

  async complete(key: ObjectKey, ...rest: Rest<MultipartUploads["complete"]>): Promise<ObjectVersion> {
    return renamed(await this.#inner.complete(this.#down(key), ...rest), key);
  }

  abort(key: ObjectKey, upload: string, o?: CallOptions): Promise<void> {
    return this.#inner.abort(this.#down(key), upload, o);
  }
}

type Rest<F extends (key: ObjectKey, ...rest: never[]) => unknown> =
  Parameters<F> extends [ObjectKey, ...infer R] ? R : never;

function renamed({ size, etag }: ObjectVersion, key: ObjectKey): ObjectVersion {
  return { key, size, etag };
}
