import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IndexCheck, PackCheck, PackError, type ObjectFormat } from "@holdall/git-protocol";
import { StorageError, type ObjectKey, type ObjectStore } from "@holdall/object-store/open";
import { again } from "./again.ts";
import { GitStoreError } from "./errors.ts";
import { indexKey, packKey } from "./keys.ts";
import type { PackEntry } from "./manifest.ts";
import { Temporary } from "./temporaries.ts";

/** Two files that git has made, for the store. */
export interface PackFiles {
  /** `pack-` and the checksum. */
  readonly name: string;
  readonly pack: string;
  /** Bytes. */
  readonly size: number;
  readonly index: string;
  /** Bytes. */
  readonly indexSize: number;
  readonly objects: number;
}

/** As a manifest names it. */
export function entryOf({ name, size, indexSize, objects }: PackFiles): PackEntry {
  return { name, size, indexSize, objects, at: new Date() };
}

/**
 * How long a pack that no manifest names is used instead of being sent again, in milliseconds: what is named today is then of today, by
 * which maintenance goes when it is replaced.
 */
const FRESH_FOR = 6 * 3_600_000;

const READ_SIZE = 1024 * 1024;

/** The packs of one repository in a store, and the way between them and folders. */
export class Packs {
  readonly #store: ObjectStore;

  /** @param store whose root is the repository */
  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /**
   * Stores a pack and its index, at once. What is there already, and not old, is not sent again.
   * @param onBytes is told of bytes as they are sent
   */
  async put({ name, pack, size, index, indexSize }: PackFiles, onBytes?: (bytes: number) => void): Promise<void> {
    const put = async (key: ObjectKey, path: string, bytes: number): Promise<void> =>
      await this.#putFile(key, { path, size: bytes, onBytes });
    // Both have come to an end, so that nobody removes a file that is still read.
    const puts = await Promise.allSettled([put(packKey(name), pack, size), put(indexKey(name), index, indexSize)]);
    for (const one of puts) if (one.status === "rejected") throw one.reason;
  }

  /**
   * Fetches a pack into a folder of packs, in a way that whoever reads there meanwhile finds all of it or nothing: `.keep` first,
   * which holds off `git gc`, and the index last. What is there already is left alone, and so is what holds it there.
   * @param o.keep what the `.keep` file says
   * @param o.after comes to an end before anything of the pack is to be found
   * @param o.onBytes is told of bytes as they come
   * @returns the `.keep` file, the caller's to remove; undefined when the pack is there already
   * @throws what `after` throws; GitStoreError `corrupt` when the bytes are not the pack; StorageError `not-found` when it is gone
   */
  async fetch(
    { name, size, indexSize, objects }: PackEntry,
    folder: string,
    o: {
      readonly format: ObjectFormat;
      readonly keep: string;
      readonly after?: Promise<unknown>;
      readonly onBytes?: (bytes: number) => void;
    },
  ): Promise<string | undefined> {
    const base = join(folder, name);
    if (await exists(`${base}.idx`)) {
      // Whoever waits for this one waits for those before it.
      await o.after;
      return undefined;
    }
    const into = (key: ObjectKey, bytes: number, check: PackCheck | IndexCheck): Promise<Temporary> =>
      this.#fetchFile(key, folder, { size: bytes, check, onBytes: o.onBytes });
    const [packCheck, indexCheck] = [new PackCheck(o.format), new IndexCheck(o.format)];
    const files = await Promise.allSettled([
      into(packKey(name), size, packCheck),
      into(indexKey(name), indexSize, indexCheck),
    ]);
    try {
      const [pack, index] = files.map((file) => {
        if (file.status === "rejected") throw file.reason;
        return file.value;
      });
      if (pack === undefined || index === undefined) throw new Error("a pack has two files");
      const summaries = [packCheck.end(), indexCheck.end()];
      for (const summary of summaries) {
        if (`pack-${summary.checksum}` === name && summary.objects === objects) continue;
        throw new PackError("the bytes are those of another pack");
      }
      await o.after;
      // One that stayed would hold off git's maintenance for ever.
      await using undo = new AsyncDisposableStack();
      const keep = undo.use(new Temporary(`${base}.keep`));
      await writeFile(keep.path, `${o.keep}\n`);
      await rename(pack.path, `${base}.pack`);
      await rename(index.path, `${base}.idx`);
      undo.move();
      return keep.path;
    } catch (error) {
      if (!(error instanceof PackError)) throw error;
      const message = `the pack ${name} in the store is damaged: ${error.message}. Nothing of it was kept`;
      throw new GitStoreError("corrupt", message, { cause: error });
    } finally {
      for (const file of files) if (file.status === "fulfilled") await file.value[Symbol.asyncDispose]();
    }
  }

  async #putFile(key: ObjectKey, file: FileToPut): Promise<void> {
    const { putIfAbsent } = this.#store.capabilities;
    const put = async (o: { ifAbsent?: boolean }): Promise<void> => {
      await again(async () => await this.#store.put(key, read(file), { size: file.size, ...o }));
    };
    try {
      await put(putIfAbsent ? { ifAbsent: true } : {});
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "conflict")) throw error;
      // Its name is that of its bytes. One that was left by somebody long ago may be about to be removed.
      const there = await this.#store.stat(key);
      const isFresh = there?.size === file.size && Date.now() - there.modifiedAt.getTime() < FRESH_FOR;
      if (!isFresh) await put({});
    }
  }

  /** @returns a file that git too would clear away */
  async #fetchFile(
    key: ObjectKey,
    folder: string,
    o: { size: number; check: PackCheck | IndexCheck; onBytes: ((bytes: number) => void) | undefined },
  ): Promise<Temporary> {
    await using temporaries = new AsyncDisposableStack();
    const temporary = temporaries.use(new Temporary(join(folder, `tmp_pack_${randomBytes(6).toString("hex")}`)));
    await using file = await open(temporary.path, "wx", 0o444);
    let start = 0;
    const receive = async (): Promise<void> => {
      if (start > 0 && start === o.size) return;
      const object = await this.#store.get(key, { borrow: true, ...(start === 0 ? {} : { range: { start } }) });
      try {
        if (object.size !== o.size) throw new PackError(`${key} has ${object.size} bytes, not ${o.size}`);
        for await (const chunk of object.body) {
          for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten;
          o.check.update(chunk);
          o.onBytes?.(chunk.length);
          start += chunk.length;
        }
      } finally {
        await object.body[Symbol.asyncIterator]().return?.();
      }
    };
    await again(receive);
    await file.sync();
    temporaries.move();
    return temporary;
  }
}

interface FileToPut {
  readonly path: string;
  readonly size: number;
  readonly onBytes: ((bytes: number) => void) | undefined;
}

async function* read({ path, onBytes }: FileToPut): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE })) {
    yield chunk;
    onBytes?.(chunk.length);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
