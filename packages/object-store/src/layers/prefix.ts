import { parseKey, type ObjectKey } from "../key.ts";
import type {
  CallOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  PutOptions,
  StoredObject,
} from "../port.ts";
import { Layer } from "./layer.ts";

/** The part of a store below a prefix, as a store of its own. */
export class PrefixLayer extends Layer {
  readonly #prefix: string;

  /** @param prefix whole segments, without a slash at either end. @throws StorageError `invalid` when it is no key */
  constructor(inner: ObjectStore, prefix: string) {
    super(inner);
    this.#prefix = `${parseKey(prefix)}/`;
  }

  override async stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    const stat = await this.inner.stat(this.#down(key), o);
    return stat === undefined ? undefined : renamed(stat, key);
  }

  override async get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    const { size, etag, modifiedAt, range, body } = await this.inner.get(this.#down(key), o);
    return { key, size, etag, modifiedAt, range, body };
  }

  override async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectStat> {
    return renamed(await this.inner.put(this.#down(key), body, o), key);
  }

  override async delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    await this.inner.delete(this.#down(key), o);
  }

  override async *list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    const after = o.after === undefined ? {} : { after: this.#prefix + o.after };
    for await (const stat of this.inner.list(this.#prefix + prefix, { ...o, ...after })) {
      yield renamed(stat, parseKey(stat.key.slice(this.#prefix.length)));
    }
  }

  #down(key: ObjectKey): ObjectKey {
    return parseKey(this.#prefix + key);
  }
}

function renamed({ size, etag, modifiedAt }: ObjectStat, key: ObjectKey): ObjectStat {
  return { key, size, etag, modifiedAt };
}
