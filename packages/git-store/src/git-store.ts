import { setTimeout as delay } from "node:timers/promises";
import { StorageError, type ObjectStore } from "@holdall/object-store/open";
import { again } from "./again.ts";
import { following, type Change } from "./change.ts";
import { GitStoreError } from "./errors.ts";
import { history } from "./history.ts";
import { indexKey, logKey, MANIFEST_KEY, packKey, VIEW_KEYS } from "./keys.ts";
import { formatLog, type LogEntry } from "./log-entry.ts";
import { formatManifest, MAX_MANIFEST_BYTES, parseManifest, type Manifest } from "./manifest.ts";
import { readSmall } from "./small-object.ts";
import { changedViews } from "./views.ts";

/** The repository as it was at one moment. */
export interface Snapshot {
  readonly manifest: Manifest;
  readonly etag: string;
}

export interface GitStoreOptions {
  /** The user says that nobody else writes: conditions that the store lacks are then done without. */
  readonly singleWriter?: boolean;
  /** How often a change is tried that others are faster than. */
  readonly attempts?: number;
  /** Milliseconds to wait before the next attempt, of which the first is 1. */
  readonly pause?: (attempt: number) => number;
  /** After how many milliseconds it is looked whether others were faster, before what plain tools read is left as it is. */
  readonly aloneFor?: number;
}

const ATTEMPTS = 30;
const LONGEST_PAUSE = 2000;
/** How often a store may leave a change unanswered. */
const UNANSWERED = 3;

/** Whoever stood still for so long may have been overtaken, in milliseconds. */
const ALONE_FOR = 3000;

interface Written {
  /** Others are at it, too. */
  readonly contended: boolean;
  /** Before the change was made. */
  readonly begun?: number;
}

interface Swapped {
  /** The state that includes the change, if it is done. */
  readonly committed?: Snapshot;
  /** Otherwise what is there instead. */
  readonly now: Snapshot | undefined;
  readonly unanswered?: StorageError;
}

/** A repository in a store: what it is, and how it changes. Its packs are others' to bring and to fetch. */
export class GitStore {
  readonly #store: ObjectStore;
  readonly #singleWriter: boolean;
  readonly #attempts: number;
  readonly #pause: (attempt: number) => number;
  readonly #aloneFor: number;

  /** @param store whose root is the repository */
  constructor(store: ObjectStore, o: GitStoreOptions = {}) {
    this.#store = store;
    this.#singleWriter = o.singleWriter ?? false;
    this.#attempts = o.attempts ?? ATTEMPTS;
    this.#pause = o.pause ?? jittered;
    this.#aloneFor = o.aloneFor ?? ALONE_FOR;
  }

  /**
   * One request. Undefined where there is no repository.
   * @throws GitStoreError when there is one that cannot be read; StorageError
   */
  async read(): Promise<Snapshot | undefined> {
    const found = await readSmall(this.#store, MANIFEST_KEY);
    return found && { manifest: parseManifest(found.bytes), etag: found.etag };
  }

  /**
   * Makes a change, durably and all of it or not at all, in one order with everybody else's.
   * @param known what the caller has read, to spare a request
   * @param bring puts what the change needs into the store, such as packs. Done once, and over before anything is committed
   * @returns the state that the change has made, or a later one that includes it; undefined when there was nothing to do
   * @throws what `make` and `bring` throw; GitStoreError `contended`, `unsupported`; StorageError
   */
  async commit(
    change: Change,
    known: Snapshot | undefined,
    bring: () => Promise<void> = async () => undefined,
  ): Promise<Snapshot | undefined> {
    this.#requireConditions();
    const tried: Manifest[] = [];
    let before = known;
    for (let attempt = 1; attempt <= this.#attempts; attempt += 1) {
      const draft = await change.make(before?.manifest);
      if (draft === undefined) return undefined;
      const { manifest, full } = following(before?.manifest, draft, change);
      // When one fails, the other has ended too: files that it reads may be removed then.
      const brought = await Promise.allSettled([
        full === undefined ? undefined : this.#writeLog(full),
        attempt === 1 ? bring() : this.#requirePacks(manifest, before?.manifest),
      ]);
      for (const one of brought) if (one.status === "rejected") throw one.reason;
      tried.push(manifest);
      const begun = Date.now();
      const outcome = await this.#swap(before, tried);
      if (outcome.committed !== undefined) {
        const shown = attempt === 1 ? before?.manifest : undefined;
        await this.#writeViews(outcome.committed.manifest, shown, { contended: attempt > 1, begun });
        return outcome.committed;
      }
      requireSame(before?.manifest, outcome.now?.manifest);
      if (outcome.unanswered !== undefined && attempt >= UNANSWERED) throw unsettled(outcome.unanswered);
      // What was put in the place of another state cannot come through any more, and has been looked for.
      if (outcome.now?.etag !== before?.etag) tried.length = 0;
      before = outcome.now;
      await delay(this.#pause(attempt));
    }
    throw new GitStoreError(
      "contended",
      `others changed the repository ${this.#attempts} times while this change was tried: try again`,
    );
  }

  /** Writes all that plain tools read, as the repository is now. */
  async refreshViews(): Promise<void> {
    const now = await this.read();
    if (now !== undefined) await this.#writeViews(now.manifest, undefined, { contended: true });
  }

  /**
   * Puts the last of ours in the place of what was read.
   * @param tried all that were put for this change: an earlier one may come through late
   */
  async #swap(before: Snapshot | undefined, tried: readonly Manifest[]): Promise<Swapped> {
    const manifest = tried.at(-1);
    if (manifest === undefined) throw new Error("there is nothing to swap in");
    const bytes = formatManifest(manifest);
    requireReadable(bytes, "manifest");
    const { putIfAbsent, compareAndSwap } = this.#store.capabilities;
    const first = putIfAbsent ? { ifAbsent: true } : {};
    const condition = before === undefined ? first : compareAndSwap ? { ifMatch: before.etag } : {};
    const o = { size: bytes.length, contentType: "application/json", ...condition };
    try {
      const { etag } = await this.#store.put(MANIFEST_KEY, once(bytes), o);
      return { committed: { manifest, etag }, now: undefined };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const lost = error.code === "conflict";
      if (!lost && error.code !== "unavailable" && !error.uncertain) throw error;
      // Somebody was faster, or it was us and we did not hear of it.
      const now = await this.read();
      for (const ours of tried) {
        if (now !== undefined && (await this.#includes(now.manifest, ours))) return { committed: now, now };
      }
      return lost ? { now } : { now, unanswered: error };
    }
  }

  /** Whether the state came to be by way of this one. */
  async #includes(now: Manifest, ours: Manifest): Promise<boolean> {
    try {
      for await (const { generation, transaction } of history(this.#store, now)) {
        if (generation <= ours.generation) return transaction === ours.transaction;
      }
    } catch (error) {
      // Of what the log does not have, nothing can be told; then the refs decide.
      if (!(error instanceof GitStoreError)) throw error;
    }
    return false;
  }

  /** @param entries the oldest first */
  async #writeLog(entries: readonly LogEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    const bytes = formatLog(entries);
    requireReadable(bytes, "log");
    const o = { size: bytes.length, contentType: "application/json" };
    await again(async () => await this.#store.put(logKey(last), once(bytes), o));
  }

  /** Others have changed the repository since these packs were brought: maintenance may have removed one that was old. */
  async #requirePacks({ packs }: Manifest, before: Manifest | undefined): Promise<void> {
    const known = new Set(before?.packs.map(({ name }) => name));
    const keys = packs.flatMap(({ name }) => (known.has(name) ? [] : [packKey(name), indexKey(name)]));
    const stats = await Promise.all(keys.map(async (key) => await this.#store.stat(key)));
    if (!stats.includes(undefined)) return;
    throw new GitStoreError("contended", "maintenance has just removed what was to be used: try again");
  }

  /**
   * Views are for others, and every later change writes them again: what goes wrong here takes nothing from the commit.
   * @param before what they show now, as far as that is known
   */
  async #writeViews(manifest: Manifest, before: Manifest | undefined, o: Written): Promise<void> {
    await Promise.allSettled(
      changedViews(manifest, before).map(async ([view, text]) => {
        const bytes = Buffer.from(text);
        const o = { size: bytes.length, contentType: "text/plain" };
        await again(async () => await this.#store.put(VIEW_KEYS[view], once(bytes), o));
      }),
    );
    if (!o.contended && Date.now() - (o.begun ?? 0) < this.#aloneFor) return;
    // Somebody may have been faster, and now be overwritten.
    const now = await this.read().catch(() => undefined);
    if (now !== undefined && now.manifest.generation > manifest.generation) {
      await this.#writeViews(now.manifest, undefined, { contended: true });
    }
  }

  #requireConditions(): void {
    const { putIfAbsent, compareAndSwap } = this.#store.capabilities;
    if (this.#singleWriter || (putIfAbsent && compareAndSwap)) return;
    throw new GitStoreError(
      "unsupported",
      "the store has no conditional writes, so two who push at once could undo each other's work without noticing: use " +
        'another store ("holdall store probe" says what one is fit for), or state that there is a single writer',
    );
  }
}

/**
 * What a change needs of the objects that were there is there in every later state, and in no other: not in that of a repository
 * that was removed, made anew or put back meanwhile.
 */
function requireSame(before: Manifest | undefined, now: Manifest | undefined): void {
  if (before === undefined) return;
  const isSame =
    now !== undefined &&
    (now.transaction === before.transaction ||
      now.generation > before.generation + 1 ||
      (now.generation === before.generation + 1 && now.parent === before.transaction));
  if (!isSame)
    throw new GitStoreError("contended", "the repository is another one than a moment ago: look again, and try anew");
}

/** A request that was not answered may be carried out when nobody waits for it any more. */
function unsettled(error: StorageError): StorageError {
  if (!error.uncertain) return error;
  const message = `${error.message}; it may still come through: look what is there before trying again`;
  return new StorageError(error.code, message, { cause: error, retryable: error.retryable, uncertain: true });
}

/** Whoever writes what nobody reads has lost the repository for everybody. */
function requireReadable({ length }: Uint8Array, what: string): void {
  if (length <= MAX_MANIFEST_BYTES) return;
  throw new GitStoreError(
    "unsupported",
    `the repository's ${what} would have ${length} bytes, and is read up to ${MAX_MANIFEST_BYTES}: it has too many refs`,
  );
}

/** Longer each time, and never the same for two. */
function jittered(attempt: number): number {
  return Math.random() * Math.min(LONGEST_PAUSE, 20 * 2 ** attempt);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
