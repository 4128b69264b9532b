import { PutObjectCommand } from "@aws-sdk/client-s3";
import { randomUUID } from "node:crypto";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import { PART_SIZE, partSizeFor, readWhole, sendParts } from "../parts.ts";
import type { ObjectVersion, PutOptions } from "../port.ts";
import { type Bucket, etagOf, PUT_ID, quoted } from "./bucket.ts";
import { described } from "./description.ts";
import type { Keeping } from "./keeping.ts";
import { publish } from "./publish.ts";
import { LIMITS, type Uploads } from "./uploads.ts";

/** The largest object that any number of parts make, in bytes. */
const MOST = LIMITS.maxPartSize * LIMITS.maxParts;

/** Stores objects: small ones with one request, others in parts. */
export class Writer {
  readonly #bucket: Bucket;
  readonly #uploads: Uploads;
  readonly #keeping: Keeping;

  constructor(bucket: Bucket, uploads: Uploads, keeping: Keeping) {
    this.#bucket = bucket;
    this.#uploads = uploads;
    this.#keeping = keeping;
  }

  /** @param body that throws instead of ending when it does not have `size` bytes */
  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    if (o.size > MOST) throw new StorageError("invalid", `an object has at most ${MOST} bytes, not ${o.size}`);
    if (o.size > PART_SIZE) return await this.#putParts(key, body, o);
    return await this.putWhole(key, await readWhole(body), o);
  }

  async putWhole(key: ObjectKey, bytes: Uint8Array, o: Omit<PutOptions, "size">): Promise<ObjectVersion> {
    const { ifAbsent, ifMatch, signal } = o;
    const object = {
      ...this.#bucket.target(key),
      ...this.#keeping,
      Body: bytes,
      ContentLength: bytes.length,
      ...described(o),
    };
    const doing = { what: `storing ${key}`, needs: "s3:PutObject", writes: true };
    if (ifAbsent !== true && ifMatch === undefined) {
      const command = new PutObjectCommand(object);
      const { ETag } = await this.#bucket.ask(doing, signal, (client, o) => client.send(command, o));
      return { key, size: bytes.length, etag: etagOf(ETag, key) };
    }
    const putId = randomUUID();
    const command = new PutObjectCommand({
      ...object,
      ...described(o, { [PUT_ID]: putId }),
      ...(ifMatch === undefined ? { IfNoneMatch: "*" } : { IfMatch: quoted(ifMatch) }),
    });
    return await publish(this.#bucket, { key, putId, ifAbsent, ifMatch, signal }, async () => {
      const { ETag } = await this.#bucket.askOnce(doing, signal, (client, o) => client.send(command, o));
      return { key, size: bytes.length, etag: etagOf(ETag, key) };
    });
  }

  async #putParts(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const upload = await this.#uploads.begin(key, o, o.signal);
    return await this.#uploads.during(upload, async () => {
      const partSize = partSizeFor(o.size, { most: LIMITS.maxParts });
      const parts = await sendParts(
        body,
        partSize,
        (bytes, number, stop) => {
          const signal = o.signal === undefined ? stop : AbortSignal.any([o.signal, stop]);
          return this.#uploads.sendPart(upload, number, bytes, signal);
        },
        o,
      );
      return await this.#uploads.finish(upload, parts, o);
    });
  }
}
