import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { GitStoreError } from "@holdall/git-store";
import { parseKey, StorageError, type ObjectKey, type ObjectStore } from "@holdall/object-store/open";
import { deleteVersion } from "./delete-version.ts";
import { markKey, UPLOADS_PREFIX } from "./layout.ts";

/** After so many seconds git-remote-s3 takes a lock for one whose holder has died. */
export const LOCK_TTL = 60;

/** What git-remote-s3 is taken to upload in a second while it holds a lock, in bytes. */
const SLOW_UPLOAD = 1024 * 1024;

/** Milliseconds. */
const LONGEST_PAUSE = 2000;
/** Bytes. */
const MOST_TEXT = 256;

export interface LockOptions {
  /** Seconds after which a lock is stale that was not renewed. */
  readonly ttl?: number;
  /** Seconds to wait for somebody else's; a little longer than it takes to become stale when left out. */
  readonly patience?: number;
  /** Bytes that another client may be uploading under its lock. */
  readonly size?: number;
  /** Is told, once, that somebody else holds the lock. */
  readonly onWait?: (since: Date) => void;
}

interface Held {
  readonly text: string;
  readonly etag: string;
  readonly modifiedAt: Date;
}

/** By two clocks, in milliseconds: the one of the process may stand still while the machine sleeps, and the other may be set back. */
interface Moment {
  readonly process: number;
  readonly system: number;
}

const LONG_AGO: Moment = { process: Number.NEGATIVE_INFINITY, system: Number.NEGATIVE_INFINITY };

function present(): Moment {
  return { process: performance.now(), system: Date.now() };
}

/** Milliseconds, by the clock that has gone further. */
function timeSince({ process, system }: Moment): number {
  return Math.max(performance.now() - process, Date.now() - system);
}

/**
 * The lock of a ref as git-remote-s3 from 0.3.0 on knows it: an object that only one can create. It is renewed while it is held,
 * so that nobody takes it for stale however long a copy takes, and every renewal is a swap that shows whether it is still ours.
 */
export class RefLock {
  readonly #store: ObjectStore;
  readonly #key: ObjectKey;
  readonly #ref: string;
  readonly #token: string;
  readonly #ttl: number;
  #etag: string;
  /** Nobody takes the lock for stale for a time after this. */
  #renewedAt: Moment;
  #renewals = 0;
  #queue: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  private constructor(
    store: ObjectStore,
    ref: string,
    held: { token: string; etag: string; ttl: number; since: Moment },
  ) {
    this.#store = store;
    this.#ref = ref;
    this.#key = markKey(ref, "lock");
    this.#token = held.token;
    this.#ttl = held.ttl;
    this.#etag = held.etag;
    this.#renewedAt = held.since;
    const renew = (): void => {
      this.#renew().catch(() => undefined);
    };
    this.#timer = setInterval(renew, (held.ttl * 1000) / 3);
  }

  /** @throws GitStoreError `contended` when others hold it for longer than one can wait, `unsupported`; StorageError */
  static async acquire(store: ObjectStore, ref: string, o: LockOptions = {}): Promise<RefLock> {
    requireLocks(store);
    const ttl = o.ttl ?? LOCK_TTL;
    const key = markKey(ref, "lock");
    const token = randomUUID();
    const until = Date.now() + (o.patience ?? ttl * 1.25) * 1000;
    let ahead: number | undefined;
    let isTold = false;
    for (let attempt = 1; ; attempt += 1) {
      const since = present();
      const etag = await tryToPut(store, key, textOf(token, 0), { ifAbsent: true });
      if (etag !== undefined) return new RefLock(store, ref, { token, etag, ttl, since });
      // Before the look: all empty locks have the same etag, so nothing may come between that and the swap.
      ahead ??= (await clockOf(store)) - Date.now();
      const there = await look(store, key);
      if (there !== undefined) {
        // A lock of git-remote-s3 is empty, and covers the upload.
        const upload = there.text === "" ? (o.size ?? 0) / SLOW_UPLOAD : 0;
        if (Date.now() + ahead - there.modifiedAt.getTime() > Math.max(ttl, upload) * 1000) {
          const taken = await tryToPut(store, key, textOf(token, 0), { ifMatch: there.etag });
          if (taken !== undefined) return new RefLock(store, ref, { token, etag: taken, ttl, since });
        } else if (!isTold) {
          isTold = true;
          o.onWait?.(there.modifiedAt);
        }
      }
      if (Date.now() >= until) throw busy(ref, there?.modifiedAt ?? new Date(Date.now() + ahead));
      await delay(Math.random() * Math.min(LONGEST_PAUSE, 100 * 2 ** attempt));
    }
  }

  /**
   * Makes sure that it is still ours. That takes no request while it is so young that nobody can have taken it for stale.
   * @throws GitStoreError `contended` when it is not
   */
  async confirm(): Promise<void> {
    await this.#queue;
    if (timeSince(this.#renewedAt) > (this.#ttl * 1000) / 2) await this.#renew();
  }

  /** Gives it back. It was all done before, so what goes wrong here only makes others wait. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#queue;
    const { deleteIfMatch } = this.#store.capabilities;
    try {
      if (!deleteIfMatch) await this.#renew();
      await this.#store.delete(this.#key, deleteIfMatch ? { ifMatch: this.#etag } : {});
    } catch (error) {
      if (!(error instanceof StorageError || error instanceof GitStoreError)) throw error;
    }
  }

  /** One after another. */
  async #renew(): Promise<void> {
    const renewed = this.#queue.then(() => this.#swap());
    this.#queue = renewed.catch(() => undefined);
    await renewed;
  }

  async #swap(): Promise<void> {
    const since = present();
    this.#renewals += 1;
    const etag = await tryToPut(this.#store, this.#key, textOf(this.#token, this.#renewals), { ifMatch: this.#etag });
    if (etag === undefined) {
      // Nobody may be waiting for this renewal; whoever asks next is to hear of it.
      this.#renewedAt = LONG_AGO;
      throw new GitStoreError(
        "contended",
        `the lock of ${this.#ref} was taken over by somebody else while this process stood still: try again`,
      );
    }
    this.#etag = etag;
    this.#renewedAt = since;
  }
}

/**
 * Removes a lock whose holder has died.
 * @param o.etag as it was found
 * @returns its key
 * @throws GitStoreError `contended` when it is another one by now, or not old enough by the store's clock
 */
export async function breakLock(
  store: ObjectStore,
  ref: string,
  { etag, ttl = LOCK_TTL }: { readonly etag: string; readonly ttl?: number },
): Promise<ObjectKey> {
  const key = markKey(ref, "lock");
  const now = await clockOf(store);
  const there = await store.stat(key);
  if (there === undefined) return key;
  if (there.etag !== etag || now - there.modifiedAt.getTime() <= ttl * 1000) {
    throw busy(ref, there.modifiedAt);
  }
  await deleteVersion(store, there);
  return key;
}

/** @throws GitStoreError `unsupported` when the store cannot hold locks, or publish a bundle in one step */
export function requireLocks({ capabilities: { putIfAbsent, compareAndSwap, copy } }: ObjectStore): void {
  const missing = putIfAbsent && compareAndSwap ? (copy ? undefined : "copies") : "conditional writes";
  if (missing === undefined) return;
  throw new GitStoreError(
    "unsupported",
    `the store has no ${missing}, without which two who push in the layout of git-remote-s3 could undo each other's work: use ` +
      "another store, or only read from this one",
  );
}

/**
 * Makes sure that what is put can be taken away again, before anything is put: a push that may not delete would leave its lock, and
 * the ref with two bundles, which git-remote-s3 can neither clone nor push to.
 * @throws StorageError `denied`
 */
export async function requireRemoval(store: ObjectStore): Promise<void> {
  // Nobody has put anything there, which stores tell only whoever may delete.
  await store.delete(parseKey(`${UPLOADS_PREFIX}none-${randomUUID()}`));
}

/** The time by the store's clock, in milliseconds: the ages of locks are told by it. */
async function clockOf(store: ObjectStore): Promise<number> {
  const key = parseKey(`${UPLOADS_PREFIX}clock-${randomUUID()}`);
  try {
    await store.put(key, once(Buffer.alloc(0)), { size: 0 });
    return (await store.stat(key))?.modifiedAt.getTime() ?? Date.now();
  } finally {
    await store.delete(key);
  }
}

/** No two of them are the same, so that no etag returns. */
function textOf(token: string, renewals: number): string {
  return `holdall ${token} ${renewals}\n`;
}

/** @returns its etag; undefined when the condition decides against it */
async function tryToPut(
  store: ObjectStore,
  key: ObjectKey,
  text: string,
  condition: { ifAbsent: true } | { ifMatch: string },
): Promise<string | undefined> {
  const bytes = Buffer.from(text);
  try {
    return (await store.put(key, once(bytes), { size: bytes.length, ...condition })).etag;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    // It may have been done all the same, and then it is there.
    const there = await look(store, key);
    if (there?.text === text) return there.etag;
    if (error.code === "conflict") return undefined;
    throw error;
  }
}

async function look(store: ObjectStore, key: ObjectKey): Promise<Held | undefined> {
  try {
    const { body, etag, modifiedAt } = await store.get(key);
    let text = "";
    for await (const chunk of body) {
      text += Buffer.from(chunk).toString();
      // Nobody's is so long: what matters is that it is not empty.
      if (text.length > MOST_TEXT) break;
    }
    return { text, etag, modifiedAt };
  } catch (error) {
    if (error instanceof StorageError && error.code === "not-found") return undefined;
    throw error;
  }
}

function busy(ref: string, since: Date): GitStoreError {
  const at = since.toISOString().slice(0, 19).replace("T", " ");
  return new GitStoreError(
    "contended",
    `somebody else has been pushing to ${ref} since ${at} UTC: try again when they are done`,
  );
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
