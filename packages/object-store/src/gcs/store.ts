import { randomUUID } from "node:crypto";
import { compareKeys } from "../compare.ts";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import type {
  ByteRange,
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
import { GcsBucket, type Page } from "./bucket.ts";
import type { GcsClient } from "./client.ts";
import { Download, rangeHeader, readHead } from "./download.ts";
import { JsonApi, type Signal } from "./json-api.ts";
import { GcsMultipartUploads } from "./multipart.ts";
import { mayBeginKey, Names } from "./names.ts";
import { MARK, publish } from "./publish.ts";
import { removeIf } from "./removal.ts";
import type { GcsObject } from "./resource.ts";
import { signedRequest } from "./signing.ts";
import { Transport } from "./transport.ts";
import { Uploader } from "./upload.ts";

export interface GcsStoreOptions {
  /** What all keys are below: whole segments, without a slash at either end. */
  readonly prefix?: string | undefined;
  /** How long a connection may stand still while it is waited for. */
  readonly idleSeconds?: number;
}

/** The generation of an object that is not there. */
const ABSENT = "0";

/**
 * Objects in a bucket of Google Cloud Storage. The etag of an object is its generation. Credentials and signatures are
 * the SDK's; requests are made here, because those of the SDK cannot be aborted.
 */
export class GcsStore implements ObjectStore {
  readonly capabilities: Capabilities = {
    putIfAbsent: true,
    compareAndSwap: true,
    deleteIfMatch: true,
    // Cloud Storage knows CRC32C and MD5 only.
    checkSha256: false,
    copy: true,
    presignGet: true,
    presignPut: true,
    presignSha256: false,
    multipart: true,
    presignPart: true,
  };
  readonly multipart: GcsMultipartUploads;
  readonly #client: GcsClient;
  readonly #names: Names;
  readonly #transport: Transport;
  readonly #bucket: GcsBucket;
  readonly #uploader: Uploader;

  constructor(client: GcsClient, { prefix, idleSeconds }: GcsStoreOptions = {}) {
    this.#client = client;
    this.#names = new Names(prefix);
    this.#transport = new Transport(idleSeconds);
    const api = new JsonApi(client, this.#transport);
    this.#bucket = new GcsBucket(api);
    this.#uploader = new Uploader(this.#bucket, api, client.storageClass);
    this.multipart = new GcsMultipartUploads(client, this.#bucket, this.#uploader, this.#names);
  }

  async stat(key: ObjectKey, { signal }: CallOptions = {}): Promise<ObjectStat | undefined> {
    const object = await this.#bucket.stat(this.#names.of(key), signal);
    return object === undefined ? undefined : statOf(key, object);
  }

  async get(key: ObjectKey, { range, signal }: GetOptions = {}): Promise<StoredObject> {
    const name = this.#names.of(key);
    const header = range === undefined ? undefined : rangeHeader(range);
    if (range !== undefined && header === undefined) throw await this.#noRange(key, range, signal);
    const incoming = await this.#bucket.download(name, header, signal);
    if (!("headers" in incoming)) {
      if (incoming.status === 404) throw absent(key);
      throw new StorageError("invalid", `${header} is no range of ${key}: it starts at or after the end`);
    }
    try {
      const head = readHead(incoming, key, range);
      return { key, ...head, body: new Download(incoming, head.range.length, { name, bucket: this.#client.bucket }) };
    } catch (error) {
      await incoming.return();
      throw error;
    }
  }

  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const intake = new Intake(body, o);
    try {
      const name = this.#names.of(key);
      if (o.sha256 !== undefined) {
        throw new StorageError(
          "unsupported",
          "Cloud Storage does not check SHA-256 digests: wrap the store in the verify layer",
        );
      }
      if (o.ifAbsent !== true && o.ifMatch !== undefined && !isGeneration(o.ifMatch)) {
        await intake.drain();
        throw otherVersion(key);
      }
      const { size, contentType, handOver, signal } = o;
      const ifGenerationMatch = o.ifAbsent === true ? ABSENT : o.ifMatch;
      const upload = { size, contentType, handOver, ifGenerationMatch, signal };
      return versionOf(key, await this.#uploader.store(name, intake, upload));
    } finally {
      await intake.return();
    }
  }

  async delete(key: ObjectKey, { ifMatch, signal }: DeleteOptions = {}): Promise<void> {
    const name = this.#names.of(key);
    signal?.throwIfAborted();
    if (ifMatch === undefined) await this.#bucket.remove(name, undefined, signal);
    else if (isGeneration(ifMatch)) await removeIf(this.#bucket, { name, generation: ifMatch }, signal);
    else throw otherVersion(key);
  }

  async *list(prefix: string, { after = "", signal }: ListOptions = {}): AsyncIterable<ObjectStat> {
    signal?.throwIfAborted();
    if (!mayBeginKey(prefix)) return;
    for await (const object of this.#objects(this.#names.base + prefix, this.#names.offset(after), signal)) {
      signal?.throwIfAborted();
      const key = this.#names.keyOf(object.name);
      if (key !== undefined && compareKeys(key, after) > 0) yield statOf(key, object);
    }
  }

  async copy(from: ObjectKey, to: ObjectKey, o: CopyOptions = {}): Promise<ObjectVersion> {
    const { fromEtag, signal } = o;
    const [name, target] = [this.#names.of(from), this.#names.of(to)];
    const source = await this.#bucket.stat(name, signal);
    if (source === undefined) throw absent(from);
    if (fromEtag !== undefined && fromEtag !== source.generation) throw otherVersion(from);
    const ifGenerationMatch = o.ifAbsent === true ? ABSENT : undefined;
    const mark = randomUUID();
    const description = {
      // Nothing else is taken over: a Content-Encoding, for one, would have Cloud Storage decompress the copy for some.
      contentType: source.contentType,
      storageClass: this.#client.storageClass,
      metadata: { [MARK]: mark },
    };
    const copy = await publish(this.#bucket, { name: target, mark, signal }, () =>
      this.#bucket.rewrite(
        name,
        target,
        { ...description, ifGenerationMatch, ifSourceGenerationMatch: fromEtag },
        signal,
      ),
    );
    return versionOf(to, copy);
  }

  async presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    o.signal?.throwIfAborted();
    if (o.method === "PUT" && o.sha256 !== undefined) {
      throw new StorageError("unsupported", "Cloud Storage does not check SHA-256 digests: read the object again");
    }
    return await signedRequest(this.#client, this.#names.of(key), o);
  }

  async sweep(): Promise<number> {
    return await this.multipart.sweep();
  }

  async close(): Promise<void> {
    this.#transport.close();
  }

  /** What is wrong with a range that cannot be asked for, as Cloud Storage would take it for something else. */
  async #noRange(key: ObjectKey, range: ByteRange, signal: Signal): Promise<StorageError> {
    const object = await this.#bucket.stat(this.#names.of(key), signal);
    if (object === undefined) return absent(key);
    const { start, end = "" } = range;
    return new StorageError(
      "invalid",
      `bytes ${start}-${end} are not a range of ${key}, which has ${object.size} bytes`,
    );
  }

  /** All objects whose names begin with `prefix`, page by page; of the adapter's own, of which there may be many, a few. */
  async *#objects(prefix: string, from: string | undefined, signal: Signal): AsyncGenerator<GcsObject> {
    const { reserved, afterReserved } = this.#names;
    let next: { from?: string | undefined; token?: string | undefined } | undefined = { from };
    while (next !== undefined) {
      const { objects, token }: Page = await this.#bucket.page(prefix, next.from, next.token, signal);
      const own = objects.findIndex(({ name }) => name.startsWith(reserved));
      yield* own === -1 ? objects : objects.slice(0, own);
      if (own !== -1) next = { from: afterReserved };
      else next = token === undefined ? undefined : { from: next.from, token };
    }
  }
}

function statOf(key: ObjectKey, object: GcsObject): ObjectStat {
  return { ...versionOf(key, object), modifiedAt: object.createdAt };
}

function versionOf(key: ObjectKey, { size, generation }: GcsObject): ObjectVersion {
  return { key, size, etag: generation };
}

function absent(key: ObjectKey): StorageError {
  return new StorageError("not-found", `there is no object ${key}`);
}

function otherVersion(key: ObjectKey): StorageError {
  return new StorageError("conflict", `${key} is not the version that was meant: read it again`);
}

/** Not 0, by which Cloud Storage would understand that there must be no object. */
function isGeneration(etag: string): boolean {
  return /^[1-9]\d{0,18}$/.test(etag);
}
