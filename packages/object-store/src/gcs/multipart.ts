import { createHash, randomUUID } from "node:crypto";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import type {
  CallOptions,
  MultipartLimits,
  MultipartUploads,
  ObjectVersion,
  SignedRequest,
  UploadedPart,
} from "../port.ts";
import { atMost } from "./at-most.ts";
import type { GcsBucket, Source } from "./bucket.ts";
import type { GcsClient } from "./client.ts";
import type { Signal } from "./json-api.ts";
import type { Names } from "./names.ts";
import { MARK, publish } from "./publish.ts";
import type { GcsObject } from "./resource.ts";
import { retried } from "./retry.ts";
import { MAX_OBJECT_SIZE, signedRequest } from "./signing.ts";
import type { Uploader } from "./upload.ts";

/** The metadata by which an upload knows its object. */
const KEY = "holdall-key";
/** How many objects one request puts together. https://cloud.google.com/storage/docs/composite-objects */
const MOST_SOURCES = 32;
/** How many requests of one call may be on their way. */
const AT_ONCE = 8;
const DAY = 24 * 3600 * 1000;

/**
 * Uploads in parts, each an object of its own until they are put together. Cloud Storage's own uploads in parts, those
 * of its XML API, know no preconditions: of two that create one object both would succeed.
 *
 * Below `.holdall/parts/` each upload has a folder. Its file 00000 tells of which object it is, and is there as long as
 * the upload is. The others are the parts by number, and what many parts are put together to on the way. All have the
 * storage class of the object, because Cloud Storage puts together only what has the same.
 */
export class GcsMultipartUploads implements MultipartUploads {
  readonly limits: MultipartLimits = { minPartSize: 1, maxPartSize: MAX_OBJECT_SIZE, maxParts: 10_000 };
  readonly #client: GcsClient;
  readonly #bucket: GcsBucket;
  readonly #uploader: Uploader;
  readonly #names: Names;
  readonly #folders: string;

  constructor(client: GcsClient, bucket: GcsBucket, uploader: Uploader, names: Names) {
    this.#client = client;
    this.#bucket = bucket;
    this.#uploader = uploader;
    this.#names = names;
    this.#folders = `${names.reserved}parts/`;
  }

  async create(key: ObjectKey, o: CallOptions & { readonly contentType?: string } = {}): Promise<string> {
    const { contentType, signal } = o;
    this.#names.of(key);
    const upload = randomUUID();
    const description = { contentType, storageClass: this.#client.storageClass, metadata: { [KEY]: key } };
    const first = this.#file(upload, 0);
    await retried(() => this.#bucket.insert(first, new Uint8Array(0), description, signal), signal);
    return upload;
  }

  /** Whether the upload is still there is not asked; what comes too late is swept. */
  async putPart(
    key: ObjectKey,
    upload: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    o: CallOptions & { readonly size: number },
  ): Promise<UploadedPart> {
    const intake = new Intake(body, o);
    try {
      const name = this.#part(key, upload, number);
      return partOf(number, await this.#uploader.store(name, intake, { size: o.size, signal: o.signal }));
    } finally {
      await intake.return();
    }
  }

  async presignPart(
    key: ObjectKey,
    upload: string,
    number: number,
    o: CallOptions & { readonly size: number; readonly expiresIn: number },
  ): Promise<SignedRequest> {
    o.signal?.throwIfAborted();
    return await signedRequest(this.#client, this.#part(key, upload, number), { ...o, method: "PUT" });
  }

  async *parts(key: ObjectKey, upload: string, { signal }: CallOptions = {}): AsyncIterable<UploadedPart> {
    const { parts } = await this.#look(key, upload, signal);
    for (const [number, object] of parts) yield partOf(number, object);
  }

  async complete(
    key: ObjectKey,
    upload: string,
    parts: readonly UploadedPart[],
    { ifAbsent, signal }: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectVersion> {
    const { first, parts: there } = await this.#look(key, upload, signal);
    const sources = chosen(key, parts, there);
    let version: ObjectVersion;
    try {
      version = await this.#publish(key, upload, sources, first.contentType, ifAbsent, signal);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
      // Somebody else has completed or given up the upload, or put a part again.
      await this.#look(key, upload, signal);
      throw refused(key, "a part was put again meanwhile: list the parts", error);
    }
    try {
      await this.#clear(upload, undefined);
    } catch {
      // The object is there, which is what counts; a sweep finds the rest.
    }
    return version;
  }

  async #publish(
    key: ObjectKey,
    upload: string,
    parts: readonly Source[],
    contentType: string | undefined,
    ifAbsent: boolean | undefined,
    signal: Signal,
  ): Promise<ObjectVersion> {
    const name = this.#names.of(key);
    const sources = await this.#joined(upload, parts, signal);
    // Not one for each call: whoever completes this upload with these parts makes the same object.
    const generations = createHash("sha256").update(parts.map(({ generation }) => generation).join());
    const mark = `${upload}-${generations.digest("hex")}`;
    const description = {
      contentType,
      storageClass: this.#client.storageClass,
      metadata: { [MARK]: mark },
      ifGenerationMatch: ifAbsent === true ? "0" : undefined,
    };
    const { size, generation } = await publish(this.#bucket, { name, mark, signal }, () =>
      this.#bucket.compose(sources, name, description, signal),
    );
    return { key, size, etag: generation };
  }

  async abort(key: ObjectKey, upload: string, { signal }: CallOptions = {}): Promise<void> {
    try {
      await this.#look(key, upload, signal);
    } catch (error) {
      if (error instanceof StorageError && error.code === "not-found") return;
      throw error;
    }
    await this.#clear(upload, signal);
  }

  /** Removes uploads to which nothing has been added for a day. @returns how many */
  async sweep(): Promise<number> {
    const added = new Map<string, number>();
    for await (const { name, createdAt } of this.#bucket.list(this.#folders, undefined)) {
      const [upload = ""] = name.slice(this.#folders.length).split("/", 1);
      added.set(upload, Math.max(added.get(upload) ?? 0, createdAt.getTime()));
    }
    const old = [...added].filter(([, at]) => at < Date.now() - DAY);
    for (const [upload] of old) await this.#clear(upload, undefined);
    return old.length;
  }

  #folder(upload: string): string {
    return `${this.#folders}${upload}/`;
  }

  #file(upload: string, number: number): string {
    return this.#folder(upload) + String(number).padStart(5, "0");
  }

  #part(key: ObjectKey, upload: string, number: number): string {
    this.#names.of(key);
    if (!isUpload(upload)) throw absent(key, upload);
    if (!Number.isInteger(number) || number < 1 || number > this.limits.maxParts) {
      throw new StorageError("invalid", `${number} is no number of a part, which are 1 to ${this.limits.maxParts}`);
    }
    return this.#file(upload, number);
  }

  /** What an upload has so far. @throws StorageError `not-found` when there is no such upload of this object */
  async #look(key: ObjectKey, upload: string, signal: Signal): Promise<Found> {
    const parts = new Map<number, GcsObject>();
    let first: GcsObject | undefined;
    if (isUpload(upload)) {
      for await (const object of this.#bucket.list(this.#folder(upload), signal)) {
        const number = /\/(\d{5})$/.exec(object.name)?.[1];
        if (number === "00000") first = object;
        else if (number !== undefined) parts.set(Number(number), object);
      }
    }
    if (first?.metadata[KEY] !== key) throw absent(key, upload);
    return { first, parts };
  }

  /** Puts sources together, by 32, until there are no more than one request takes. */
  async #joined(upload: string, sources: readonly Source[], signal: Signal): Promise<readonly Source[]> {
    if (sources.length <= MOST_SOURCES) return sources;
    // Named so that several who complete this upload do not get into each other's way.
    const level = `${this.#folder(upload)}joined-${randomUUID()}-`;
    const groups = Array.from({ length: Math.ceil(sources.length / MOST_SOURCES) }, (_, i) => ({
      name: level + i,
      sources: sources.slice(i * MOST_SOURCES, (i + 1) * MOST_SOURCES),
    }));
    const { storageClass } = this.#client;
    const joined = await atMost(AT_ONCE, groups, ({ name, sources }) =>
      retried(() => this.#bucket.compose(sources, name, { storageClass }, signal), signal),
    );
    return await this.#joined(upload, joined, signal);
  }

  /** Removes all that an upload has, and first what says that it is there. */
  async #clear(upload: string, signal: Signal): Promise<void> {
    const objects: GcsObject[] = [];
    for await (const object of this.#bucket.list(this.#folder(upload), signal)) objects.push(object);
    // A generation that is named is gone for good, where a bucket with versions would keep it otherwise.
    const remove = ({ name, generation }: GcsObject): Promise<void> => this.#bucket.remove(name, generation, signal);
    await atMost(1, objects.slice(0, 1), remove);
    await atMost(AT_ONCE, objects.slice(1), remove);
  }
}

interface Found {
  readonly first: GcsObject;
  readonly parts: ReadonlyMap<number, GcsObject>;
}

function isUpload(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

function absent(key: ObjectKey, upload: string): StorageError {
  return new StorageError("not-found", `there is no upload ${upload.slice(0, 100)} of ${key}, or no longer`);
}

function refused(key: ObjectKey, what: string, cause?: Error): StorageError {
  return new StorageError("invalid", `${key} cannot be completed: ${what}`, { cause });
}

function partOf(number: number, { size, generation }: GcsObject): UploadedPart {
  return { number, size, etag: generation };
}

/** The objects of these parts, in their order. */
function chosen(
  key: ObjectKey,
  parts: readonly UploadedPart[],
  there: ReadonlyMap<number, GcsObject>,
): readonly GcsObject[] {
  if (parts.length === 0) throw refused(key, "it has no parts");
  let [before, total] = [0, 0];
  return parts.map(({ number, size, etag }) => {
    const object = there.get(number);
    if (number <= before) throw refused(key, `part ${number} comes after part ${before}`);
    if (object === undefined) throw refused(key, `part ${number} is not there`);
    if (object.generation !== etag || object.size !== size) {
      throw refused(key, `part ${number} was put again: list the parts`);
    }
    before = number;
    total += size;
    if (total > MAX_OBJECT_SIZE) throw refused(key, `it has more than ${MAX_OBJECT_SIZE} bytes`);
    return object;
  });
}
