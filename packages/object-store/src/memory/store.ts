import { StorageError } from "../errors.ts";
import { compareKeys } from "../compare.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  Capabilities,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PresignOptions,
  PutOptions,
  SignedRequest,
  StoredObject,
} from "../port.ts";
import { resolveRange } from "../range.ts";

interface Entry extends ObjectStat {
  readonly bytes: Buffer;
}

/** Objects in memory, gone with the process: for tests and for trying things out. */
export class MemoryStore implements ObjectStore {
  readonly capabilities: Capabilities = {
    putIfAbsent: true,
    compareAndSwap: true,
    deleteIfMatch: true,
    checkSha256: false,
    copy: true,
    presignGet: false,
    presignPut: false,
    presignSha256: false,
    multipart: false,
    presignPart: false,
  };
  readonly multipart = undefined;
  readonly #entries = new Map<ObjectKey, Entry>();
  #version = 0;

  async stat(key: ObjectKey, o: CallOptions = {}): Promise<ObjectStat | undefined> {
    o.signal?.throwIfAborted();
    return this.#entries.get(key);
  }

  async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    o.signal?.throwIfAborted();
    const entry = this.#entries.get(key);
    if (entry === undefined) throw new StorageError("not-found", `there is no object ${key}`);
    const range = resolveRange(key, entry.size, o.range);
    const bytes = entry.bytes.subarray(range.start, range.start + range.length);
    return {
      key,
      size: entry.size,
      etag: entry.etag,
      modifiedAt: entry.modifiedAt,
      range,
      body: chunksOf(bytes, o.signal),
    };
  }

  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const intake = new Intake(body, o);
    try {
      if (o.sha256 !== undefined) {
        throw new StorageError("unsupported", "memory does not check digests: wrap the store in the verify layer");
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of intake) chunks.push(chunk);
      this.#check(key, o);
      return this.#publish(key, Buffer.concat(chunks));
    } finally {
      await intake.return();
    }
  }

  async delete(key: ObjectKey, o: DeleteOptions = {}): Promise<void> {
    o.signal?.throwIfAborted();
    this.#check(key, o);
    this.#entries.delete(key);
  }

  async *list(prefix: string, o: ListOptions = {}): AsyncIterable<ObjectStat> {
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys.sort(compareKeys)) {
      o.signal?.throwIfAborted();
      const entry = this.#entries.get(key);
      if (entry !== undefined && compareKeys(key, o.after ?? "") > 0) yield entry;
    }
  }

  async copy(from: ObjectKey, to: ObjectKey, o: CopyOptions = {}): Promise<ObjectVersion> {
    o.signal?.throwIfAborted();
    const entry = this.#entries.get(from);
    if (entry === undefined) throw new StorageError("not-found", `there is no object ${from}`);
    this.#check(from, o.fromEtag === undefined ? {} : { ifMatch: o.fromEtag });
    this.#check(to, o.ifAbsent === undefined ? {} : { ifAbsent: o.ifAbsent });
    return this.#publish(to, entry.bytes);
  }

  async presign(_key: ObjectKey, _o: PresignOptions): Promise<SignedRequest> {
    throw new StorageError("unsupported", "no request from elsewhere reaches the memory of this process");
  }

  async sweep(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }

  #publish(key: ObjectKey, bytes: Buffer): ObjectVersion {
    this.#version += 1;
    const entry = { key, size: bytes.length, etag: String(this.#version), modifiedAt: new Date(), bytes };
    this.#entries.set(key, entry);
    return entry;
  }

  #check(key: ObjectKey, o: { ifAbsent?: boolean; ifMatch?: string }): void {
    const entry = this.#entries.get(key);
    if (o.ifAbsent === true && entry !== undefined) throw new StorageError("conflict", `${key} already exists`);
    if (o.ifMatch !== undefined && entry?.etag !== o.ifMatch) {
      throw new StorageError("conflict", `${key} is not the version that was to be replaced: read it again`);
    }
  }
}

/** In pieces, so that consumers meet bodies of several chunks here too. */
async function* chunksOf(bytes: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const piece = 64 * 1024;
  for (let at = 0; at < bytes.length; at += piece) {
    signal?.throwIfAborted();
    yield bytes.subarray(at, at + piece);
  }
}
