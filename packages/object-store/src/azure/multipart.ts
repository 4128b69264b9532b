import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import { PART_SIZE, readWhole } from "../parts.ts";
import type { CallOptions, MultipartUploads, ObjectVersion, SignedRequest, UploadedPart } from "../port.ts";
import { assemble, blocksOf } from "./assemble.ts";
import { MAX_BLOCK_SIZE, MAX_BLOCKS } from "./blocks.ts";
import type { AzureClient, Call } from "./client.ts";
import type { Copier } from "./copy.ts";
import type { Deadline } from "./deadline.ts";
import { isAzureError } from "./errors.ts";
import { listAllBlobs } from "./listing.ts";
import { lookAt } from "./look.ts";
import type { BlobNames } from "./names.ts";
import { blockOf, latestParts, newPartName } from "./part-names.ts";
import { assertSize, presignBlock } from "./presign.ts";
import { remove } from "./remove.ts";

/** How long an upload may take before a sweep takes it for given up, in milliseconds. */
const DAY = 24 * 60 * 60_000;

/**
 * Uploads in parts. Azure has none of its own: blocks wait under the name of the blob that they are for, where two
 * uploads meet, where whatever is published discards them, where nothing else removes them for a week, and where whoever
 * may put a block may just as well publish. So each upload is a blob of its own below `.holdall/uploads/`, empty at
 * first, and its parts are blocks of that. `complete` commits them there, has the service copy that blob to its key, and
 * deletes it. For large objects the copy takes the service a while, but no bytes come here; and what has been signed for
 * a part is never good for the object.
 */
export class AzureUploads implements MultipartUploads {
  readonly limits = { minPartSize: 1, maxPartSize: MAX_BLOCK_SIZE, maxParts: MAX_BLOCKS } as const;
  readonly #client: AzureClient;
  readonly #names: BlobNames;
  readonly #copier: Copier;

  constructor(client: AzureClient, names: BlobNames, copier: Copier) {
    this.#client = client;
    this.#names = names;
    this.#copier = copier;
  }

  async create(key: ObjectKey, o: CallOptions & { readonly contentType?: string } = {}): Promise<string> {
    const upload = randomBytes(16).toString("hex");
    const blob = this.#client.blob(this.#blobOf(key, upload));
    const headers = o.contentType === undefined ? {} : { blobHTTPHeaders: { blobContentType: o.contentType } };
    await this.#client.ask(
      { doing: `beginning an upload of ${key}`, needs: "write", signal: o.signal },
      (abortSignal) => blob.upload("", 0, { abortSignal, ...headers }),
    );
    return upload;
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
      const { size, signal } = o;
      assertPart(key, number, size);
      const blob = this.#blobOf(key, upload);
      const doing = `storing part ${number} of ${key}`;
      // A block would be taken for an upload that is gone as well.
      const there = await lookAt(this.#client, blob, { doing, needs: "read", signal });
      if (there === undefined) throw noUpload(key, upload);
      const etag = newPartName(number);
      const call: Call = { doing, needs: "write", signal };
      if (size > PART_SIZE) await this.#stream(blob, etag, intake, size, call);
      else await this.#send(blob, etag, await readWhole(intake), call);
      return { number, size, etag };
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
    assertPart(key, number, o.size);
    return await presignBlock(this.#client, this.#blobOf(key, upload), blockOf(newPartName(number)), o.expiresIn);
  }

  async *parts(key: ObjectKey, upload: string, { signal }: CallOptions = {}): AsyncIterable<UploadedPart> {
    const call: Call = { doing: `listing the parts of ${key}`, needs: "read", signal };
    const blocks = await blocksOf(this.#client, this.#blobOf(key, upload), call);
    if (blocks === undefined) throw noUpload(key, upload);
    for (const part of latestParts([...blocks.committed, ...blocks.uncommitted])) {
      signal?.throwIfAborted();
      yield part;
    }
  }

  async complete(
    key: ObjectKey,
    upload: string,
    parts: readonly UploadedPart[],
    { ifAbsent, signal }: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectVersion> {
    const call: Call = { doing: `completing the upload of ${key}`, needs: "write", signal };
    const [from, target] = [this.#blobOf(key, upload), this.#names.of(key)];
    // Whoever completes this upload with these parts, and however often: it is one put.
    const id = createHash("sha256")
      .update([upload, ...parts.map(({ etag }) => etag)].join())
      .digest("hex")
      .slice(0, 32);
    try {
      const source = await assemble(this.#client, from, parts, call);
      if (source === undefined) throw noUpload(key, upload);
      const { size, contentType } = source;
      const copy = { ...call, from, source, blob: target, id, ifAbsent, contentType };
      const etag = await this.#copier.copy(copy);
      await this.#forget(from);
      return { key, size, etag };
    } catch (error) {
      if (!(error instanceof StorageError) || !["conflict", "not-found"].includes(error.code)) throw error;
      // Another call may have completed the upload while this one was at it.
      const there = await lookAt(this.#client, target, { ...call, needs: "read" });
      if (there?.putId === id) return { key, size: there.size, etag: there.etag };
      if (ifAbsent === true && there !== undefined) throw error;
      throw noUpload(key, upload, error);
    }
  }

  async abort(key: ObjectKey, upload: string, { signal }: CallOptions = {}): Promise<void> {
    if (!isUpload(upload)) return;
    const call: Call = { doing: `giving up the upload of ${key}`, needs: "delete", signal };
    try {
      await this.#discard(this.#blobOf(key, upload), { ifMatch: "*" }, call);
    } catch (error) {
      if (!isAzureError(error, "ConditionNotMet")) throw error;
    }
  }

  /**
   * Discards uploads that were begun more than a day ago.
   * @returns how many
   * @throws StorageError the first failure, after all others were tried: a lease may keep one
   */
  async sweep(): Promise<number> {
    const call: Call = { doing: "discarding unfinished uploads", needs: "delete" };
    const before = Date.now() - DAY;
    let discarded = 0;
    let failure: unknown;
    for await (const { name, modifiedAt } of listAllBlobs(
      this.#client,
      { ...call, needs: "list" },
      this.#names.uploads,
    )) {
      // One of only blocks is no upload: they were sent directly after it had been given up.
      if (modifiedAt !== undefined && modifiedAt.getTime() >= before) continue;
      try {
        await this.#discard(name, {}, call);
        discarded += 1;
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return discarded;
  }

  async #send(blob: string, part: string, bytes: Uint8Array, call: Call): Promise<void> {
    await this.#client.ask({ ...call, bytes: bytes.length }, (abortSignal) =>
      this.#client.blob(blob).stageBlock(blockOf(part), bytes, bytes.length, { abortSignal }),
    );
  }

  /** A part too large to be kept in memory goes out as it comes in, and so only once. */
  async #stream(blob: string, part: string, intake: Intake, size: number, call: Call): Promise<void> {
    let thrown: unknown;
    const onThrown = (error: unknown): void => {
      thrown = error;
    };
    try {
      await this.#client.ask(call, async (abortSignal, deadline) => {
        const body = Readable.from(heldBack(intake, deadline, onThrown), { objectMode: false });
        body.on("error", onThrown);
        try {
          await this.#client.blobOnce(blob).stageBlock(blockOf(part), () => body, size, { abortSignal });
        } finally {
          body.destroy();
        }
      });
    } catch (error) {
      // To the SDK, a body that throws is just a request that cannot be sent.
      throw intake.threw(thrown) ? thrown : error;
    }
  }

  /** The object is there, so a failure takes nothing away; a sweep finds what is left. */
  async #forget(blob: string): Promise<void> {
    try {
      await remove(this.#client, blob, { doing: "removing an upload that is complete", needs: "delete" });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /** Writing it anew discards its parts, which deleting it may not do. */
  async #discard(blob: string, conditions: { readonly ifMatch?: string }, call: Call): Promise<void> {
    await this.#client.ask(call, (abortSignal) => this.#client.blob(blob).upload("", 0, { abortSignal, conditions }));
    await remove(this.#client, blob, call);
  }

  /** Other keys' uploads have other names, so that an upload is good for its own key only. */
  #blobOf(key: ObjectKey, upload: string): string {
    this.#names.of(key);
    if (!isUpload(upload)) throw noUpload(key, upload);
    return `${this.#names.uploads}${upload}-${createHash("sha256").update(key).digest("hex").slice(0, 16)}`;
  }
}

/** Callers may pass on what a client has sent. */
function isUpload(upload: string): boolean {
  return /^[0-9a-f]{32}$/.test(upload);
}

function noUpload(key: ObjectKey, upload: string, cause?: StorageError): StorageError {
  const options = cause === undefined ? {} : { cause };
  return new StorageError("not-found", `there is no upload ${JSON.stringify(upload.slice(0, 100))} of ${key}`, options);
}

function assertPart(key: ObjectKey, number: number, size: number): void {
  if (!Number.isInteger(number) || number < 1 || number > MAX_BLOCKS) {
    throw new StorageError(
      "invalid",
      `${number} is not the number of a part of ${key}: they go from 1 to ${MAX_BLOCKS}`,
    );
  }
  assertSize(size, MAX_BLOCK_SIZE, `part ${number} of ${key}`);
  if (size === 0) throw new StorageError("invalid", `part ${number} of ${key} is empty: leave it out`);
}

/**
 * Keeps each chunk until the next one, or the end, has come, so that the last bytes leave only when the body has ended by
 * itself: the service would take the part as soon as it has them all. The deadline is for the service, not for the body.
 */
async function* heldBack(
  body: Intake,
  deadline: Deadline,
  onThrown: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  try {
    deadline.stop();
    for await (const chunk of body) {
      if (chunk.length === 0) continue;
      if (held !== undefined) {
        deadline.start(held.length);
        yield held;
        deadline.stop();
      }
      held = chunk;
    }
  } catch (error) {
    onThrown(error);
    throw error;
  }
  deadline.start(held?.length);
  if (held !== undefined) yield held;
}
