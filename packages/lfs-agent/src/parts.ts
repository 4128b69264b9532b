import { createHash, webcrypto } from "node:crypto";
import {
  PART_SIZE,
  partSizeFor,
  sendParts,
  StorageError,
  type MultipartUploads,
  type ObjectKey,
  type UploadedPart,
} from "@holdall/object-store/open";
import { patiently } from "./patience.ts";
import { read, type Source } from "./source.ts";
import type { TransferContext, TransferOptions } from "./transfers.ts";
import { UploadNote, type Noted, type NotedPart } from "./upload-note.ts";

/** A file that is to become the object under a key. */
interface Target extends Source {
  readonly key: ObjectKey;
}

/**
 * Stores an object in parts. Those that an earlier process has sent, as its note says and the store confirms, are not sent
 * again if their bytes are those that the file has now. The file is hashed as a whole on the way, and the object is
 * published only if it is what its name says.
 * @throws StorageError `corrupt` when the file is not the object
 */
export async function uploadInParts(
  c: TransferContext,
  uploads: MultipartUploads,
  target: Target,
  o: TransferOptions,
): Promise<void> {
  const note = new UploadNote(c.folders.uploads, { store: c.name, key: target.key });
  for (let attempt = 1; ; attempt += 1) {
    const upload = new PartsUpload(uploads, note, target, o);
    try {
      return await upload.run();
    } catch (error) {
      upload.takeBack();
      o.signal.throwIfAborted();
      // The file will not become another one, and that is what counts, whether or not its parts go.
      if (isCode(error, "corrupt")) await upload.abandon().catch(() => undefined);
      const isGone = isCode(error, "not-found");
      // What has been sent stays for a later process.
      if (!isGone && !upload.completing) throw error;
      // Completed: by another process, or by us, if the answer was lost.
      const isThere = (await c.store.stat(target.key, { signal: o.signal }))?.size === target.size;
      if (isThere || isGone) await note.remove();
      if (isThere) return;
      // Swept, and to be begun anew.
      if (!isGone || attempt > 1) throw error;
    }
  }
}

/** One go at it. */
class PartsUpload {
  readonly #uploads: MultipartUploads;
  readonly #note: UploadNote;
  readonly #target: Target;
  readonly #o: TransferOptions;
  readonly #partSize: number;
  #upload = "";
  #progress = 0;
  #completing = false;

  constructor(uploads: MultipartUploads, note: UploadNote, target: Target, o: TransferOptions) {
    const { maxParts, minPartSize } = uploads.limits;
    this.#uploads = uploads;
    this.#note = note;
    this.#target = target;
    this.#o = o;
    this.#partSize = partSizeFor(target.size, { most: maxParts, least: Math.max(PART_SIZE, minPartSize) });
  }

  /** Whether all parts are in the store. */
  get completing(): boolean {
    return this.#completing;
  }

  async run(): Promise<void> {
    const { key } = this.#target;
    const { signal } = this.#o;
    const earlier = await this.#earlier();
    if (earlier === undefined) {
      this.#upload = await this.#uploads.create(key, { signal });
      await this.#note.begin(this.#upload, this.#partSize);
    }
    const parts = await sendParts(this.#body(), this.#partSize, async (part, number, failed) => {
      const sha256 = Buffer.from(await webcrypto.subtle.digest("SHA-256", part)).toString("hex");
      const there = earlier?.get(number);
      const sent = there?.sha256 === sha256 ? there : await this.#send(part, number, failed, sha256);
      this.#progress += part.length;
      this.#o.progress(part.length);
      return sent;
    });
    this.#completing = true;
    await this.#uploads.complete(key, this.#upload, parts, { signal });
    await this.#note.remove();
  }

  /** Gives the upload up, in the store too. */
  async abandon(): Promise<void> {
    await this.#note.remove();
    if (this.#upload !== "") await this.#uploads.abort(this.#target.key, this.#upload);
  }

  /** The progress that was told was none. */
  takeBack(): void {
    this.#o.progress(-this.#progress);
  }

  /** The parts that are noted, and in the store as they were noted; undefined when a new upload has to begin. */
  async #earlier(): Promise<ReadonlyMap<number, NotedPart> | undefined> {
    const noted = await this.#note.read();
    if (noted === undefined || noted.partSize !== this.#partSize) return undefined;
    try {
      const there = await this.#confirmed(noted);
      this.#upload = noted.upload;
      return there;
    } catch (error) {
      if (isCode(error, "not-found")) return undefined;
      throw error;
    }
  }

  async #confirmed({ upload, parts }: Noted): Promise<ReadonlyMap<number, NotedPart>> {
    const confirmed = new Map<number, NotedPart>();
    for await (const { number, etag, size } of this.#uploads.parts(this.#target.key, upload, this.#o)) {
      const noted = parts.get(number);
      if (noted?.etag === etag && noted.size === size) confirmed.set(number, noted);
    }
    return confirmed;
  }

  async #send(part: Uint8Array, number: number, failed: AbortSignal, sha256: string): Promise<UploadedPart> {
    const signal = AbortSignal.any([this.#o.signal, failed]);
    const { key } = this.#target;
    const sent = await patiently(signal, () =>
      this.#uploads.putPart(key, this.#upload, number, once(part), { size: part.length, signal }),
    );
    await this.#note.add({ ...sent, sha256 });
    return sent;
  }

  /** The file; instead of its end an error, if it is not the object. */
  async *#body(): AsyncGenerator<Uint8Array> {
    const { oid } = this.#target;
    const hash = createHash("sha256");
    for await (const chunk of read(this.#target, () => this.#o.signal.throwIfAborted())) {
      hash.update(chunk);
      yield chunk;
    }
    const actual = hash.digest("hex");
    if (actual !== oid) throw new StorageError("corrupt", `the file has the SHA-256 ${actual}, not ${oid}`);
  }
}

async function* once(part: Uint8Array): AsyncGenerator<Uint8Array> {
  yield part;
}

function isCode(error: unknown, code: StorageError["code"]): boolean {
  return error instanceof StorageError && error.code === code;
}
