import { setImmediate } from "node:timers/promises";
import { StorageError } from "../../errors.ts";
import { readPiece, readPieceSync, type Piece } from "../../fs/read-body.ts";
import type { ReadPace } from "../../fs/read-pace.ts";
import { Intake } from "../../intake.ts";
import type { StoredObject } from "../../port.ts";
import type { FillFile } from "./fill-file.ts";
import { encodeHeader, fileLength, FRAME, frameStart, roomFor, unpack, type EntryInfo } from "./format.ts";
import { FrameWriter } from "./frame-writer.ts";
import { CacheFault } from "./source.ts";

/** After so many have read what is new, others have their turn. */
const READERS_IN_A_ROW = 64;

export interface FillOptions {
  /** The store's name, as in {@link EntryInfo}. */
  readonly store: string;
  readonly pace: ReadPace;
  /** Makes the file. */
  readonly create: () => Promise<FillFile>;
  /** Opens the object in the store. */
  readonly open: (signal: AbortSignal) => Promise<StoredObject>;
  /** Nobody is to join it from now on. */
  readonly onOver: () => void;
  /** The disk has failed. */
  readonly onFault: (error: unknown) => Promise<void>;
}

/** Somebody who wants bytes of the object. */
interface Reader {
  /** There is more to be read, or there will be none. */
  wake(): void;
}

/** The file, and what is written to it. */
interface Kept {
  readonly file: FillFile;
  readonly info: EntryInfo;
  readonly header: { readonly bytes: Uint8Array; readonly seed: number };
}

/**
 * One read of a whole object from the store into a file, for all who want its bytes meanwhile: each follows the growing file
 * at its own pace. It goes on as fast as store and disk allow, and for as long as somebody is there.
 */
export class Fill {
  /** What is being read; undefined when it is not kept. Rejects when the store does not give it. */
  readonly opened: Promise<EntryInfo | undefined>;
  readonly #o: FillOptions;
  readonly #opening: PromiseWithResolvers<EntryInfo | undefined> = Promise.withResolvers();
  readonly #ended: Promise<void>;
  readonly #stop = new AbortController();
  /** Those who have not left. */
  readonly #readers = new Set<Reader>();
  /** Who may use the file: the fill itself, and its readers. */
  #users = 1;
  #file: FillFile | undefined;
  #kept: Kept | undefined;
  #unkept: StoredObject | undefined;
  #taken = false;
  #readable = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(o: FillOptions) {
    this.#o = o;
    this.opened = this.#opening.promise;
    // All who waited for it may have left.
    this.opened.catch(() => undefined);
    this.#ended = this.#run();
  }

  /** Whether somebody, in this process or another, has dropped the entry meanwhile: these bytes may be out of date. */
  get lost(): boolean {
    return this.#file?.lost === true;
  }

  /** Ends the reading, whoever follows it. */
  interrupt(): void {
    this.#stop.abort(new Error("nobody wants the object any more"));
  }

  /** Resolves when it is over, one way or another. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** To be followed by {@link leave} and {@link release}. */
  join(reader: Reader): void {
    this.#readers.add(reader);
    this.#users += 1;
  }

  /** The reader wants no more. When nobody does, the fill ends. */
  leave(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    this.#o.onOver();
    if (this.#taken) return;
    this.interrupt();
    this.#giveUp();
  }

  /** The reader, who has left, does not use the file any more. The last one waits until nothing is going on. */
  async release(): Promise<void> {
    await this.#release();
    if (this.#readers.size === 0) await this.#ended;
  }

  /** The object that is not kept, for one reader, who ends it by {@link interrupt} or by returning its body. */
  take(): StoredObject | undefined {
    const object = this.#unkept;
    this.#unkept = undefined;
    this.#taken = object !== undefined;
    return object;
  }

  /** How many bytes of the object, from the first on, can be read. */
  get readable(): number {
    return this.#readable;
  }

  /** @throws what has ended the fill early, if anything has */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Reads what a frame holds, all of which must be readable. @throws CacheFault */
  async read(frame: number, lent: boolean): Promise<Piece> {
    const kept = this.#kept;
    if (kept === undefined) throw new CacheFault("nothing is kept");
    const piece = await this.#readFrame(kept, frame, lent);
    const bytes = unpack(piece.bytes, frame, kept.header.seed);
    if (bytes !== undefined) return { bytes, done: piece.done };
    piece.done();
    throw new CacheFault(`frame ${frame} of ${kept.info.key} was damaged as soon as it was written`);
  }

  async #readFrame({ file: { fd }, info: { key, size } }: Kept, frame: number, lent: boolean): Promise<Piece> {
    const { pace } = this.#o;
    const start = frameStart(frame);
    const range = { start, length: Math.min(FRAME, fileLength(size) - start) };
    try {
      return pace.here() ? pace.run(() => readPieceSync(fd, key, range, lent)) : await readPiece(fd, key, range, lent);
    } catch (error) {
      throw new CacheFault(`frame ${frame} of ${key} cannot be read back`, { cause: error });
    }
  }

  async #run(): Promise<void> {
    try {
      // Before the store is asked: whoever changes the object later drops the file, and with it what was read before.
      this.#file = await this.#unlessFault(this.#o.create);
      const object = await this.#o.open(this.#stop.signal);
      this.#kept = await this.#admit(object);
      if (this.#kept === undefined) this.#passOn(object);
      else await this.#read(object, this.#kept);
    } catch (error) {
      this.#failure = { error };
      this.#opening.reject(error);
    }
    this.#o.onOver();
    await this.#wakeAll();
    await this.#unlessFault(async () => this.#file?.discard());
    await this.#release();
  }

  /** @returns undefined when the object is not to be kept */
  async #admit({ key, size, etag, modifiedAt }: StoredObject): Promise<Kept | undefined> {
    const file = this.#file;
    const info = { store: this.#o.store, key, size, etag, modifiedAt: modifiedAt.getTime() };
    const header = encodeHeader(info);
    if (file === undefined || header === undefined || size === 0) return undefined;
    const admitted = await this.#unlessFault(() => file.admit(roomFor(size)));
    return admitted === true ? { file, info, header } : undefined;
  }

  #passOn(object: StoredObject): void {
    this.#unkept = object;
    this.#opening.resolve(undefined);
    if (this.#readers.size === 0) this.#giveUp();
  }

  /** Nobody has taken what is not kept, and nobody will. */
  #giveUp(): void {
    this.take()
      ?.body[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined);
  }

  async #read({ body, size }: StoredObject, kept: Kept): Promise<void> {
    this.#opening.resolve(kept.info);
    const writer = new FrameWriter(kept.file.fd, kept.header);
    const intake = new Intake(body, { size, signal: this.#stop.signal });
    try {
      for await (const chunk of intake) {
        await writer.write(chunk);
        this.#readable = writer.readable;
        await this.#wakeAll();
      }
      // Only now is it known that the object has ended where it was to: before that nobody gets the last of it.
      await writer.end();
      await kept.file.publish();
      this.#readable = size;
    } catch (error) {
      if (intake.threw(error)) throw asUpstream(error, kept.info);
      await this.#o.onFault(error);
      throw new CacheFault(`${kept.info.key} could not be kept`, { cause: error });
    } finally {
      await intake.return();
    }
  }

  async #wakeAll(): Promise<void> {
    let woken = 0;
    for (const reader of this.#readers) {
      reader.wake();
      woken += 1;
      if (woken % READERS_IN_A_ROW === 0) await setImmediate();
    }
  }

  async #release(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await this.#unlessFault(async () => this.#file?.close());
  }

  async #unlessFault<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      await this.#o.onFault(error);
      return undefined;
    }
  }
}

/** The body is not the caller's, so its length is not the caller's fault. */
function asUpstream(error: unknown, { key }: EntryInfo): unknown {
  if (!(error instanceof StorageError && error.code === "invalid")) return error;
  return new StorageError("unavailable", `reading ${key} broke off: ${error.message}`, { cause: error });
}
