import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  CopyOptions,
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

/** Tells of each call, in a line for a person: what, how it ended, and how long it took. Of bodies that are read it tells the start. */
export class TraceLayer extends Layer {
  readonly #tell: (line: string) => void;

  constructor(inner: ObjectStore, tell: (line: string) => void) {
    super(inner);
    this.#tell = tell;
  }

  override stat(key: ObjectKey, o?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#timed(`stat ${key}`, () => this.inner.stat(key, o));
  }

  override get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    return this.#timed(`get ${key}`, () => this.inner.get(key, o));
  }

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return this.#timed(`put ${key} (${o.size} bytes)`, () => this.inner.put(key, body, o));
  }

  override delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    return this.#timed(`delete ${key}`, () => this.inner.delete(key, o));
  }

  override copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion> {
    return this.#timed(`copy ${from} to ${to}`, () => this.inner.copy(from, to, o));
  }

  override async *list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat> {
    const begun = performance.now();
    let count = 0;
    for await (const stat of this.inner.list(prefix, o)) {
      count += 1;
      yield stat;
    }
    this.#tell(`list ${prefix}: ${count} objects, ${since(begun)}`);
  }

  async #timed<T>(what: string, call: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      const result = await call();
      this.#tell(`${what}: ${since(begun)}`);
      return result;
    } catch (error) {
      const why = error instanceof StorageError ? error.code : "failed";
      this.#tell(`${what}: ${why}, ${since(begun)}`);
      throw error;
    }
  }
}

function since(begun: number): string {
  return `${(performance.now() - begun).toFixed(0)} ms`;
}
