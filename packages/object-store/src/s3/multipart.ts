import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import { PART_SIZE, readWhole } from "../parts.ts";
import type { CallOptions, MultipartUploads, ObjectVersion, SignedRequest, UploadedPart } from "../port.ts";
import type { Bucket } from "./bucket.ts";
import type { Presigner } from "./presigner.ts";
import { LIMITS, type Upload, type Uploads } from "./uploads.ts";

/** Uploads in parts as the port has them: named, and open to other processes. */
export class S3Multipart implements MultipartUploads {
  readonly limits = LIMITS;
  readonly #bucket: Bucket;
  readonly #uploads: Uploads;
  readonly #presigner: Presigner;

  constructor(bucket: Bucket, uploads: Uploads, presigner: Presigner) {
    this.#bucket = bucket;
    this.#uploads = uploads;
    this.#presigner = presigner;
  }

  async create(key: ObjectKey, o: CallOptions & { readonly contentType?: string } = {}): Promise<string> {
    return nameOf(await this.#uploads.begin(key, o, o.signal));
  }

  async putPart(
    key: ObjectKey,
    upload: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    o: CallOptions & { readonly size: number },
  ): Promise<UploadedPart> {
    const intake = new Intake(body, o);
    try {
      const found = uploadOf(key, upload);
      checkPart(number, o.size);
      if (o.size > PART_SIZE) return await this.#uploads.streamPart(found, number, intake, o);
      return await this.#uploads.sendPart(found, number, await readWhole(intake), o.signal);
    } finally {
      await intake.return();
    }
  }

  async presignPart(
    key: ObjectKey,
    upload: string,
    number: number,
    { size, expiresIn, signal }: CallOptions & { readonly size: number; readonly expiresIn: number },
  ): Promise<SignedRequest> {
    signal?.throwIfAborted();
    checkPart(number, size);
    const query = { partNumber: String(number), uploadId: uploadOf(key, upload).id };
    return await this.#presigner.sign({ method: "PUT", name: this.#bucket.nameOf(key), query, expiresIn });
  }

  async *parts(key: ObjectKey, upload: string, { signal }: CallOptions = {}): AsyncIterable<UploadedPart> {
    for await (const { number, size, etag } of this.#uploads.parts(uploadOf(key, upload), signal)) {
      yield { number, size, etag };
    }
  }

  async complete(
    key: ObjectKey,
    upload: string,
    parts: readonly UploadedPart[],
    o: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectVersion> {
    if (o.ifAbsent === true) this.#bucket.requireConditions();
    if (parts.length === 0) throw new StorageError("invalid", `an upload of ${key} has to have parts to be completed`);
    return await this.#uploads.finish(uploadOf(key, upload), parts, { ...o, repeated: true });
  }

  async abort(key: ObjectKey, upload: string, o: CallOptions = {}): Promise<void> {
    o.signal?.throwIfAborted();
    const found = readName(key, upload);
    if (found !== undefined) await this.#uploads.giveUp(found, o.signal);
  }
}

/** Both ids, so that whoever completes the upload, in whatever process, can tell its success from another's. */
function nameOf({ id, putId }: Upload): string {
  return `${putId}.${id}`;
}

function readName(key: ObjectKey, name: string): Upload | undefined {
  const [, putId, id] = /^([0-9a-f-]{36})\.(.+)$/.exec(name) ?? [];
  return putId === undefined || id === undefined ? undefined : { key, id, putId };
}

function uploadOf(key: ObjectKey, name: string): Upload {
  const upload = readName(key, name);
  if (upload !== undefined) return upload;
  throw new StorageError("not-found", `there is no upload ${JSON.stringify(name.slice(0, 100))} of ${key}`);
}

function checkPart(number: number, size: number): void {
  const { maxParts, maxPartSize } = LIMITS;
  if (!Number.isInteger(number) || number < 1 || number > maxParts) {
    throw new StorageError("invalid", `parts are numbered from 1 to ${maxParts}, not ${number}`);
  }
  if (size > maxPartSize) throw new StorageError("invalid", `a part has at most ${maxPartSize} bytes, not ${size}`);
}
