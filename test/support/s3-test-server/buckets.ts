import { randomUUID } from "node:crypto";
import type { Contents } from "./contents.ts";
import { S3Error } from "./errors.ts";

export interface StoredObject {
  readonly contents: Contents;
  /** Without quotes. */
  readonly etag: string;
  readonly modifiedAt: Date;
  /** Those that come back with the object. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Part {
  readonly contents: Contents;
  readonly etag: string;
  readonly modifiedAt: Date;
}

export interface Upload {
  /** In the order of their beginning, so that the order of ids is that of time. */
  readonly id: string;
  readonly key: string;
  readonly begunAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Part>;
}

/** What a bucket holds. Whatever looks and then changes it does both in one turn of the event loop, so none gets in between. */
export class Bucket {
  readonly objects: Map<string, StoredObject> = new Map();
  readonly uploads: Map<string, Upload> = new Map();
  #begun = 0;

  /** @throws S3Error `NoSuchKey` */
  object(key: string): StoredObject {
    const found = this.objects.get(key);
    if (found === undefined) throw new S3Error("NoSuchKey", { Key: key });
    return found;
  }

  /** @throws S3Error `NoSuchUpload` */
  upload(key: string, id: string): Upload {
    const found = this.uploads.get(id);
    if (found?.key !== key) throw new S3Error("NoSuchUpload", { UploadId: id });
    return found;
  }

  begin(key: string, headers: Readonly<Record<string, string>>): Upload {
    this.#begun += 1;
    const id = `${String(this.#begun).padStart(8, "0")}.${randomUUID()}`;
    const upload = { id, key, begunAt: wholeSecond(), headers, parts: new Map<number, Part>() };
    this.uploads.set(id, upload);
    return upload;
  }
}

export class Buckets {
  readonly #buckets = new Map<string, Bucket>();

  create(name: string): void {
    this.#buckets.set(name, new Bucket());
  }

  /** @throws S3Error `NoSuchBucket` */
  get(name: string): Bucket {
    const found = this.#buckets.get(name);
    if (found === undefined) throw new S3Error("NoSuchBucket", { BucketName: name });
    return found;
  }
}

/** S3 knows no finer times. */
export function wholeSecond(): Date {
  return new Date(Math.floor(Date.now() / 1000) * 1000);
}
