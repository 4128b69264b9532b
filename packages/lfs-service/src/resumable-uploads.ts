import { createHash, type Hash } from "node:crypto";
import { Intake, sendParts, StorageError, type ObjectStore, type UploadedPart } from "@holdall/object-store";
import { LfsError } from "./errors.ts";
import { brokenPartKey, incomingKey } from "./incoming.ts";
import type { InParts, PartUploads } from "./part-uploads.ts";
import type { Doing, Publisher } from "./publisher.ts";
import { partsIn, sizeOfPart, type Session } from "./session.ts";
import type { Transfers } from "./transfers.ts";

/** Where an upload goes on. */
interface Position {
  /** Whole parts from the first on, without a gap. */
  readonly parts: readonly UploadedPart[];
  /** Bytes of the part after them, kept when a connection broke. */
  readonly broken: number;
  /** Of the next byte. */
  readonly offset: number;
}

/** Whoever is sending to an upload, or asks about it. */
interface Turn {
  readonly stop: AbortController;
  readonly over: PromiseWithResolvers<void>;
  /** Bytes are coming, or should be. */
  receiving: boolean;
  /** Since when it has waited for its client, if it does. */
  waitingSince: number | undefined;
}

/**
 * Uploads that go on where they were interrupted (tus 1.0.0, https://tus.io/protocols/resumable-upload; git-lfs:
 * `lfs.tustransfers`). The offset counts bytes that are durable in the store: whole parts, and what had come of the next one
 * when the connection broke. A client that is told that all has come does nothing more, so that is said only when the object
 * is published and linked.
 */
export class ResumableUploads {
  readonly #store: ObjectStore;
  readonly #parts: PartUploads;
  readonly #publisher: Publisher;
  readonly #transfers: Transfers;
  readonly #quietAfter: number;
  /** One at a time for each upload, in this process. Others are told apart by the digest at the end. */
  readonly #turns = new Map<string, Turn>();

  /** @param o.quietAfter milliseconds after which a connection that waits for its client gives way */
  constructor(o: {
    store: ObjectStore;
    parts: PartUploads;
    publisher: Publisher;
    transfers: Transfers;
    quietAfter: number;
  }) {
    this.#store = o.store;
    this.#parts = o.parts;
    this.#publisher = o.publisher;
    this.#transfers = o.transfers;
    this.#quietAfter = o.quietAfter;
  }

  /** How many bytes of the object are there, from the first on. All of them: it is published and linked. */
  async offset(object: InParts, doing: Doing): Promise<number> {
    return await this.#inTurn(object, async () => {
      if (await this.#publisher.isLinked(object)) return object.size;
      if (object.size === 0) {
        await this.#parts.finish(object, doing);
        return 0;
      }
      const session = await this.#parts.find(object);
      if (session === undefined) return 0;
      const { offset } = await this.#positionOf(session);
      if (offset === object.size) await this.#parts.publish(session, doing);
      return offset;
    });
  }

  /**
   * Adds bytes; with the last ones the object is published and linked.
   * @param o.offset where they begin, which must be where the upload ends
   * @param o.length of the body
   * @returns the new offset
   * @throws LfsError `wrong-offset`; `wrong-body` when there are too many bytes, or all together are something else, which
   *   is then removed; `busy` while somebody else sends; the body's own error, when what has come of it is kept
   */
  async append(
    object: InParts,
    body: AsyncIterable<Uint8Array>,
    { offset, length, ...doing }: Doing & { offset: number; length: number },
  ): Promise<number> {
    if (offset + length > object.size) {
      throw new LfsError("wrong-body", `${length} bytes from ${offset} on are more than the object's ${object.size}`);
    }
    if (length === object.size && this.#parts.isOnePart(object)) {
      // As if it had come without all this.
      const { by, requestId } = doing;
      await this.#transfers.upload({ operation: "upload", ...object, by }, body, { length, requestId });
      return length;
    }
    return await this.#inTurn(object, async (turn) => {
      const session = await this.#parts.begin(object);
      const position = session.joined ? ALL_OF(object.size) : await this.#positionOf(session);
      if (offset !== position.offset) {
        throw new LfsError(
          "wrong-offset",
          `the upload of ${object.oid} goes on at byte ${position.offset}, not ${offset}`,
        );
      }
      if (offset === object.size) {
        await this.#parts.publish(session, doing);
        return offset;
      }
      return await this.#append({ session, position, turn, doing }, body, length);
    });
  }

  async #append(
    { session, position, turn, doing }: { session: Session; position: Position; turn: Turn; doing: Doing },
    body: AsyncIterable<Uint8Array>,
    length: number,
  ): Promise<number> {
    const { upload } = session;
    const whole = position.parts.length;
    // Only what passes here in one go is known without reading it again.
    const hash = position.offset === 0 ? createHash("sha256") : undefined;
    const received = new Received(body, { length, turn, hash });
    const before = position.broken > 0 ? this.#broken(session, whole + 1) : NOTHING;
    const keep = async (bytes: Uint8Array, nth: number, signal: AbortSignal): Promise<UploadedPart | undefined> =>
      await this.#keep(session, whole + nth, bytes, signal);
    let sent: readonly (UploadedPart | undefined)[];
    try {
      sent = await sendParts(joined(before, received), upload.partSize, keep, { handOver: true });
    } finally {
      await received.close();
    }
    const parts = [...position.parts, ...sent.filter((part) => part !== undefined)];
    if (position.broken > 0 && parts.length > whole) await this.#store.delete(brokenPartKey(upload.place, whole + 1));
    received.rethrow();
    if (parts.length === partsIn(upload)) {
      const all = { ...session, parts: new Map(parts.map((part) => [part.number, part])) };
      await this.#parts.publish(all, doing, { sha256: hash?.digest("hex") });
    }
    return position.offset + length;
  }

  /** Keeps a part, or as much of it as has come. @returns the part when it is whole */
  async #keep(
    { upload }: Session,
    number: number,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<UploadedPart | undefined> {
    const { multipart } = this.#store;
    if (multipart === undefined) throw new Error("an upload in parts has begun in a store that has none");
    const size = bytes.length;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
    };
    if (size === sizeOfPart(upload, number)) {
      return await multipart.putPart(incomingKey(upload.place), upload.name, number, body(), { size, signal });
    }
    await this.#store.put(brokenPartKey(upload.place, number), body(), { size, signal });
    return undefined;
  }

  async *#broken({ upload }: Session, number: number): AsyncGenerator<Uint8Array> {
    yield* (await this.#store.get(brokenPartKey(upload.place, number))).body;
  }

  async #positionOf({ upload, parts, joined: isJoined }: Session): Promise<Position> {
    if (isJoined) return ALL_OF(upload.size);
    const whole: UploadedPart[] = [];
    for (let part = parts.get(1); part !== undefined; part = parts.get(part.number + 1)) whole.push(part);
    const next = whole.length + 1;
    if (next > partsIn(upload)) return { ...ALL_OF(upload.size), parts: whole };
    const stat = await this.#store.stat(brokenPartKey(upload.place, next));
    const broken = stat !== undefined && stat.size < sizeOfPart(upload, next) ? stat.size : 0;
    return { parts: whole, broken, offset: whole.length * upload.partSize + broken };
  }

  /** Whoever comes while bytes are coming in is sent away, unless none has come for a while: that client may be gone. */
  async #inTurn<T>({ repository, oid, size }: InParts, work: (turn: Turn) => Promise<T>): Promise<T> {
    const id = `${repository}\0${oid}\0${size}`;
    for (let other = this.#turns.get(id); other !== undefined; other = this.#turns.get(id)) {
      if (other.receiving) {
        const { waitingSince = Infinity } = other;
        if (performance.now() - waitingSince < this.#quietAfter) {
          throw new LfsError("busy", `another client is sending ${oid} at this moment: try again`);
        }
        other.stop.abort(new LfsError("busy", `the upload of ${oid} was continued by another request`));
      }
      await other.over.promise;
    }
    const turn: Turn = {
      stop: new AbortController(),
      over: Promise.withResolvers<void>(),
      receiving: false,
      waitingSince: undefined,
    };
    this.#turns.set(id, turn);
    try {
      return await work(turn);
    } finally {
      this.#turns.delete(id);
      turn.over.resolve();
    }
  }
}

const ALL_OF = (size: number): Position => ({ parts: [], broken: 0, offset: size });

const NOTHING: readonly Uint8Array[] = [];

/** What comes of a body. It ends where the body fails, so that what has come is kept; the failure is thrown afterwards. */
class Received implements AsyncIterable<Uint8Array> {
  readonly #intake: Intake;
  readonly #turn: Turn;
  readonly #hash: Hash | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>, o: { length: number; turn: Turn; hash: Hash | undefined }) {
    this.#intake = new Intake(body, { size: o.length, signal: o.turn.stop.signal });
    this.#turn = o.turn;
    this.#hash = o.hash;
    this.#turn.receiving = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
      this.#hash?.update(chunk);
      yield chunk;
    }
    this.#turn.receiving = false;
  }

  async close(): Promise<void> {
    this.#turn.receiving = false;
    await this.#intake.return();
  }

  rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Undefined at the end, whichever it is. */
  async #next(): Promise<Uint8Array | undefined> {
    this.#turn.waitingSince = performance.now();
    try {
      return (await this.#intake.next()).value;
    } catch (error) {
      // More bytes than were announced is no failure to be continued, and no door lets it happen.
      if (error instanceof StorageError) throw error;
      this.#failure = { error };
      return undefined;
    } finally {
      this.#turn.waitingSince = undefined;
    }
  }
}

async function* joined(
  before: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  after: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* before;
  yield* after;
}
