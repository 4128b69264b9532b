import { hash } from "node:crypto";
import { utimes } from "node:fs/promises";
import { basename } from "node:path";
import { StorageError } from "../../errors.ts";
import { ReadPace } from "../../fs/read-pace.ts";
import type { ObjectKey } from "../../key.ts";
import type {
  CopyOptions,
  DeleteOptions,
  GetOptions,
  MultipartUploads,
  ObjectStore,
  ObjectVersion,
  PutOptions,
  StoredObject,
} from "../../port.ts";
import { resolveRange } from "../../range.ts";
import { Layer } from "../layer.ts";
import { CachedBody } from "./cached-body.ts";
import { CacheFolder } from "./cache-folder.ts";
import { removeFile } from "./files.ts";
import { DroppingUploads } from "./dropping-uploads.ts";
import { Fill } from "./fill.ts";
import { Follower } from "./follower.ts";
import type { EntryInfo } from "./format.ts";
import type { CacheOptions, CacheStats } from "./options.ts";
import { openEntry, VerifiedFile, type OpenedEntry } from "./open-entry.ts";
import { OwnShare } from "./own-share.ts";
import type { Share } from "./share.ts";
import { CacheFault, sourceOf, type Source } from "./source.ts";

/** An entry says on the disk when it was last used, if that is longer ago than this, in milliseconds. */
const TOUCH_AFTER = 60_000;
/** Whoever wants bytes that are further ahead than this of what has been read, in bytes, is quicker alone. */
const LOOK_AHEAD = 16 * 1024 * 1024;
/** Hexadecimal digits. Should two objects have one name all the same, each drops the other's entry. */
const NAME_LENGTH = 32;

/**
 * Keeps the objects that are read in a folder, up to a size, and forgets those that were not read for longest. Only reads
 * that are `immutable` are answered from there; everything else passes. Format, guarantees, and what happens when several
 * processes share the folder are in docs/design/cache.md.
 *
 * Objects are kept when they are read whole. A put keeps nothing: it drops what is there.
 */
export class CacheLayer extends Layer {
  readonly #multipart: MultipartUploads | undefined;
  readonly #store: string;
  readonly #folder: CacheFolder;
  readonly #own: OwnShare;
  readonly #onFault: (error: unknown) => void;
  readonly #pace = new ReadPace();
  /** Those that may be joined, by the name of the entry. */
  readonly #joinable = new Map<string, Fill>();
  readonly #fills = new Set<Fill>();
  /** Entries that cannot be removed, and are not to be read. */
  readonly #banned = new Set<string>();
  readonly #counts = { hits: 0, joined: 0, misses: 0, passed: 0, bytes: 0, healed: 0 };

  constructor(inner: ObjectStore, o: CacheOptions) {
    super(inner);
    const { path, size, processes = 1, store, onFault = () => undefined, now = () => performance.now() } = o;
    this.#store = store;
    this.#onFault = onFault;
    this.#folder = new CacheFolder({ path, size, processes });
    this.#own = new OwnShare({ claim: (onMany) => this.#folder.claim(onMany), onFault, now });
    this.#multipart =
      inner.multipart && new DroppingUploads(inner.multipart, (key, change) => this.#changing(key, change));
  }

  /** As of now. */
  get stats(): CacheStats {
    const share = this.#own.current;
    return { ...this.#counts, evicted: this.#own.evicted, entries: share?.entries ?? 0, used: share?.used ?? 0 };
  }

  override get multipart(): MultipartUploads | undefined {
    return this.#multipart;
  }

  override async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    if (o.immutable !== true) return await this.inner.get(key, o);
    o.signal?.throwIfAborted();
    const name = this.#nameOf(key);
    if (!this.#banned.has(name)) {
      const found =
        (await this.#join(this.#fillOf(name), key, o)) ??
        (await this.#read(name, key, o)) ??
        (await this.#fill(name, key, o));
      if (found !== undefined) return found;
    }
    this.#counts.passed += 1;
    return await this.inner.get(key, o);
  }

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return this.#changing(key, () => this.inner.put(key, body, o));
  }

  override delete(key: ObjectKey, o?: DeleteOptions): Promise<void> {
    return this.#changing(key, () => this.inner.delete(key, o));
  }

  override copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion> {
    return this.#changing(to, () => this.inner.copy(from, to, o));
  }

  override async sweep(): Promise<number> {
    const removed = await this.inner.sweep();
    try {
      return removed + (await this.#folder.sweep());
    } catch (error) {
      this.#onFault(error);
      return removed;
    }
  }

  override async close(): Promise<void> {
    for (const fill of this.#fills) fill.interrupt();
    await Promise.all([...this.#fills].map((fill) => fill.ended));
    await this.#own.close();
    await this.inner.close();
  }

  #nameOf(key: ObjectKey): string {
    return hash("sha256", `${this.#store}\0${key}`).slice(0, NAME_LENGTH);
  }

  /** What reads that object now, if it may be joined. */
  #fillOf(name: string): Fill | undefined {
    const fill = this.#joinable.get(name);
    return fill === undefined || fill.lost ? undefined : fill;
  }

  async #join(fill: Fill | undefined, key: ObjectKey, o: GetOptions): Promise<StoredObject | undefined> {
    if (fill === undefined) return undefined;
    const follower = new Follower(fill);
    const joined = await this.#follow(fill, follower, key, o);
    if (joined === undefined) {
      await follower.return();
      return undefined;
    }
    this.#counts.joined += 1;
    this.#counts.bytes += joined.range.length;
    return joined;
  }

  /** Answers from an entry, if there is one. */
  async #read(name: string, key: ObjectKey, o: GetOptions): Promise<StoredObject | undefined> {
    for (const path of this.#folder.pathsOf(name)) {
      const entry = await this.#open(path, key, o);
      if (entry === undefined) continue;
      const { info, range, body, usedAt } = entry;
      this.#counts.hits += 1;
      this.#counts.bytes += range.length;
      this.#touch(path, usedAt);
      return body instanceof VerifiedFile ? this.#rescued(info, range, body, o, path) : described(info, range, body);
    }
    return undefined;
  }

  async #open(path: string, key: ObjectKey, o: GetOptions): Promise<OpenedEntry | undefined> {
    try {
      return await openEntry(path, this.#pace, { store: this.#store, key, o });
    } catch (error) {
      if (!(error instanceof CacheFault)) throw error;
      this.#counts.healed += 1;
      await this.#remove(path);
      return undefined;
    }
  }

  #touch(path: string, usedAt: number): void {
    const now = Date.now();
    this.#own.current?.touch(basename(path), now);
    // Nothing depends on it but the order in which entries go.
    if (now - usedAt > TOUCH_AFTER) utimes(path, now / 1000, now / 1000).catch(() => undefined);
  }

  /** Asks the store for the whole object, and keeps it. @returns undefined when nothing was asked */
  async #fill(name: string, key: ObjectKey, o: GetOptions): Promise<StoredObject | undefined> {
    // A range says how much is wanted. The rest of the object may be a hundred times as much.
    if (o.range !== undefined || this.#banned.has(name)) return undefined;
    const share = await this.#own.get();
    const begun = this.#fillOf(name);
    if (begun !== undefined || share === undefined) return await this.#join(begun, key, o);
    const fill = this.#begin(name, key, share, o);
    const follower = new Follower(fill);
    const kept = await this.#follow(fill, follower, key, o);
    if (kept === undefined) return await this.#passOn(fill, follower, o);
    this.#counts.misses += 1;
    return kept;
  }

  #begin(name: string, key: ObjectKey, share: Share, { borrow = false }: GetOptions): Fill {
    const fill: Fill = new Fill({
      store: this.#store,
      pace: this.#pace,
      create: () => share.create(name),
      open: (signal) => this.inner.get(key, { immutable: true, borrow, signal }),
      onOver: () => {
        if (this.#joinable.get(name) === fill) this.#joinable.delete(name);
      },
      onFault: (error) => this.#own.fault(error, share),
    });
    this.#joinable.set(name, fill);
    this.#fills.add(fill);
    void fill.ended.then(() => this.#fills.delete(fill));
    return fill;
  }

  /** @returns undefined when the object is not kept, or not read soon from where it is wanted */
  async #follow(fill: Fill, follower: Follower, key: ObjectKey, o: GetOptions): Promise<StoredObject | undefined> {
    try {
      const info = await follower.opened(o.signal);
      if (info === undefined) return undefined;
      const range = resolveRange(key, info.size, o.range);
      if (range.start > fill.readable + LOOK_AHEAD) return undefined;
      follower.begin(range, o.borrow === true);
      return this.#rescued(info, range, follower, o);
    } catch (error) {
      // The store may take its time to end what was asked of it.
      void follower.return();
      throw error;
    }
  }

  /** Hands on the body of an object that is not kept, or has the others ask for themselves. */
  async #passOn(fill: Fill, follower: Follower, o: GetOptions): Promise<StoredObject | undefined> {
    const object = fill.take();
    await follower.return();
    if (object === undefined) return undefined;
    this.#counts.passed += 1;
    const { size, etag, modifiedAt, range } = object;
    const info = { store: this.#store, key: object.key, size, etag, modifiedAt: modifiedAt.getTime() };
    return this.#rescued(
      info,
      range,
      sourceOf(object.body, () => fill.interrupt()),
      o,
    );
  }

  /** A body that goes on from the store when the cache cannot. */
  #rescued(info: EntryInfo, range: StoredObject["range"], source: Source, o: GetOptions, path?: string): StoredObject {
    const { key, size, etag } = info;
    const rescue = async (position: number, signal: AbortSignal): Promise<Source> => {
      this.#counts.healed += 1;
      if (path !== undefined) await this.#remove(path);
      const rest = { start: position, end: range.start + range.length - 1 };
      const object = await this.inner.get(key, { immutable: true, borrow: o.borrow === true, range: rest, signal });
      if (object.etag === etag && object.size === size) return sourceOf(object.body, () => undefined);
      await object.body[Symbol.asyncIterator]().return?.();
      throw new StorageError("unavailable", `${key} was replaced while it was read: ask for it again`);
    };
    return described(info, range, new CachedBody(source, { range, signal: o.signal, rescue }));
  }

  /** Runs what changes an object, and drops what is kept of it, unless nothing has changed. */
  async #changing<T>(key: ObjectKey, change: () => Promise<T>): Promise<T> {
    let changed = true;
    try {
      return await change();
    } catch (error) {
      changed = !(error instanceof StorageError && error.code === "conflict");
      throw error;
    } finally {
      // Now, because until now the old one might be read and kept.
      if (changed) await this.#drop(this.#nameOf(key));
    }
  }

  async #drop(name: string): Promise<void> {
    this.#own.current?.forget(name);
    try {
      await this.#folder.drop(name);
    } catch (error) {
      this.#ban(name, error);
    }
  }

  async #remove(path: string): Promise<void> {
    this.#own.current?.forgetFile(path);
    try {
      await removeFile(path);
    } catch (error) {
      this.#ban(basename(path), error);
    }
  }

  #ban(name: string, error: unknown): void {
    this.#banned.add(name);
    this.#onFault(error);
  }
}

function described(
  { key, size, etag, modifiedAt }: EntryInfo,
  range: StoredObject["range"],
  body: StoredObject["body"],
): StoredObject {
  return { key, size, etag, modifiedAt: new Date(modifiedAt), range, body };
}
