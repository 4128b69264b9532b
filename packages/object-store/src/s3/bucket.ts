import { HeadObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { StorageError } from "../errors.ts";
import { isKey, parseKey, type ObjectKey } from "../key.ts";
import type { S3Connection } from "./client.ts";
import { type Doing, isUnexplained, s3Error } from "./errors.ts";

/** The metadata that holds the id of the put that made an object. */
export const PUT_ID = "holdall-put";
/** The metadata that holds the mark of the presigned PUT by which an object came. */
export const MARK = "holdall-mark";

export interface Head {
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly contentType: string | undefined;
  /** See {@link PUT_ID}. */
  readonly putId: string | undefined;
  /** See {@link MARK}. */
  readonly mark: string | undefined;
}

type Send<T> = (client: S3Client, options: { abortSignal?: AbortSignal }) => Promise<T>;

/** One bucket, or the part of it below a prefix: sends requests, and says what went wrong. */
export class Bucket {
  readonly name: string;
  /** Whether the store heeds `If-Match` and `If-None-Match`. */
  readonly conditional: boolean;
  readonly #connection: S3Connection;
  readonly #prefix: string;
  #seen = false;

  constructor(connection: S3Connection) {
    const { bucket, prefix, conditional = true } = connection.location;
    this.name = bucket;
    this.conditional = conditional;
    this.#connection = connection;
    this.#prefix = prefix === undefined ? "" : `${prefix}/`;
  }

  /** The name in the bucket of what the store calls `key`. @throws StorageError `invalid` when it is too long */
  nameOf(key: ObjectKey): ObjectKey {
    return this.#prefix === "" ? key : parseKey(this.#prefix + key);
  }

  /** The name in the bucket that any text at the beginning of keys becomes. */
  prefixed(text: string): string {
    return this.#prefix + text;
  }

  /** The key of what has this name in the bucket; undefined for what others have put there under no key. */
  keyOf(name: string): ObjectKey | undefined {
    if (!name.startsWith(this.#prefix)) return undefined;
    const key = name.slice(this.#prefix.length);
    return isKey(key) ? key : undefined;
  }

  /** How requests name the object. @throws StorageError `invalid` when the name is too long */
  target(key: ObjectKey): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: this.nameOf(key) };
  }

  /** How copies name what they are made from. */
  source(key: ObjectKey): string {
    return `${this.name}/${this.nameOf(key).split("/").map(encodeURIComponent).join("/")}`;
  }

  /** @throws StorageError `unsupported` where conditions would be ignored */
  requireConditions(): void {
    if (this.conditional) return;
    throw new StorageError(
      "unsupported",
      `the store of the bucket ${this.name} ignores conditions (conditional=false)`,
    );
  }

  /** Sends what may be repeated: what only reads, or has the same outcome when it is done twice. */
  ask<T>(doing: Doing, signal: AbortSignal | undefined, send: Send<T>): Promise<T> {
    return this.#send(this.#connection.patient, doing, signal, send);
  }

  /** Sends it once only. */
  askOnce<T>(doing: Doing, signal: AbortSignal | undefined, send: Send<T>): Promise<T> {
    return this.#send(this.#connection.once, doing, signal, send);
  }

  /** Undefined when there is no such object, and only then. */
  async head(key: ObjectKey, signal?: AbortSignal): Promise<Head | undefined> {
    const doing = { what: `looking for ${key}`, needs: "s3:GetObject", head: true };
    const command = new HeadObjectCommand(this.target(key));
    try {
      const found = await this.ask(doing, signal, (client, o) => client.send(command, o));
      return {
        size: present(found.ContentLength, "Content-Length", key),
        etag: etagOf(found.ETag, key),
        modifiedAt: wholeSeconds(present(found.LastModified, "Last-Modified", key)),
        contentType: found.ContentType,
        putId: found.Metadata?.[PUT_ID],
        mark: found.Metadata?.[MARK],
      };
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
      // It may be the bucket that is not there, or, to some stores, the caller.
      if (!this.#seen) await this.#look(signal);
      return undefined;
    }
  }

  async #send<T>(client: S3Client, doing: Doing, signal: AbortSignal | undefined, send: Send<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await orAborted(send(client, signal === undefined ? {} : { abortSignal: signal }), signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnexplained(error)) await this.#look(signal);
      throw this.#error(error, doing);
    }
  }

  /**
   * Asks for something that is answered with a body, and so with the reason when it is refused. It takes the permission
   * without which S3 calls what is absent forbidden.
   */
  async #look(signal: AbortSignal | undefined): Promise<void> {
    const input = { Bucket: this.name, Prefix: this.#prefix, MaxKeys: 1 };
    const options = signal === undefined ? {} : { abortSignal: signal };
    try {
      await orAborted(this.#connection.patient.send(new ListObjectsV2Command(input), options), signal);
      this.#seen = true;
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#error(error, { what: "listing objects", needs: "s3:ListBucket" });
    }
  }

  #error(error: unknown, doing: Doing): StorageError {
    return s3Error(error, doing, { bucket: this.name, region: this.#connection.region });
  }
}

/** Without the quotes around it, which are HTTP's. */
export function etagOf(text: string | undefined, key: ObjectKey): string {
  return present(text, "ETag", key).replace(/^"(.*)"$/, "$1");
}

/**
 * As conditions take it. What no store gives as an etag comes out as one that matches nothing: of an empty one, and of a
 * star, some stores make no condition at all.
 */
export function quoted(etag: string): string {
  return /^[\x21\x23-\x7e]+$/.test(etag) && etag !== "*" ? `"${etag}"` : '"-"';
}

/** What all answers agree on; listings know more. */
export function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** @throws StorageError when the store left out what S3 always says */
export function present<T>(value: T | undefined, name: string, about: string): T {
  if (value !== undefined) return value;
  const message = `what answered for ${about} left out ${name}, so it does not speak S3: check the endpoint`;
  throw new StorageError("unavailable", message, { retryable: false });
}

/** Does not wait for the SDK, which between two attempts listens to no signal. */
async function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await answer;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
