import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, type FileHandle, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IndexCheck, PackCheck, PackError, type ObjectFormat } from "@holdall/git-protocol";
import { StorageError, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import { GitStoreError } from "./errors.ts";
import { indexKey, packKey } from "./keys.ts";
import type { PackEntry } from "./manifest.ts";

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

/** How long a pack that no manifest names may be relied on, in milliseconds: garbage is older than twice that. */
const FRESH_FOR = 7 * 24 * 3_600_000;

const READ_SIZE = 1024 * 1024;

/** The packs of one repository in a store, and the way between them and folders. */
export class Packs {
  readonly #store: ObjectStore;

  /** @param store whose root is the repository */
  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Stores a pack and its index, at once. What is there already, and not old, is not sent again. */
  async put({ name, pack, size, index, indexSize }: PackFiles): Promise<void> {
    await Promise.all([this.#putFile(packKey(name), pack, size), this.#putFile(indexKey(name), index, indexSize)]);
  }

  /**
   * Fetches a pack into a folder of packs, in a way that whoever reads there meanwhile finds all of it or nothing: `.keep` first,
   * which holds off `git gc`, and the index last. What is there already is left alone.
   * @param o.keep what the `.keep` file says
   * @param o.onBytes is told of bytes as they come
   * @throws GitStoreError `corrupt` when the bytes are not the pack; StorageError `not-found` when it is gone
   */
  async fetch(
    { name, size, indexSize, objects }: PackEntry,
    folder: string,
    o: { readonly format: ObjectFormat; readonly keep: string; readonly onBytes?: (bytes: number) => void },
  ): Promise<void> {
    const base = join(folder, name);
    if (await exists(`${base}.idx`)) return;
    const into = (key: ObjectKey, bytes: number, check: PackCheck | IndexCheck): Promise<string> =>
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
      await writeFile(`${base}.keep`, `${o.keep}\n`);
      await rename(pack, `${base}.pack`);
      await rename(index, `${base}.idx`);
    } catch (error) {
      if (!(error instanceof PackError)) throw error;
      const message = `the pack ${name} in the store is damaged: ${error.message}. Nothing of it was kept`;
      throw new GitStoreError("corrupt", message, { cause: error });
    } finally {
      for (const file of files) if (file.status === "fulfilled") await rm(file.value, { force: true });
    }
  }

  async #putFile(key: ObjectKey, path: string, size: number): Promise<void> {
    const { putIfAbsent } = this.#store.capabilities;
    const put = async (o: { ifAbsent?: boolean }): Promise<unknown> =>
      await this.#store.put(key, createReadStream(path, { highWaterMark: READ_SIZE }), { size, ...o });
    try {
      await put(putIfAbsent ? { ifAbsent: true } : {});
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "conflict")) throw error;
      // Its name is that of its bytes. One that was left by somebody long ago may be about to be removed.
      const there = await this.#store.stat(key);
      const isFresh = there?.size === size && Date.now() - there.modifiedAt.getTime() < FRESH_FOR;
      if (!isFresh) await put({});
    }
  }

  /** @returns the name of a temporary file that git too would clear away */
  async #fetchFile(
    key: ObjectKey,
    folder: string,
    o: { size: number; check: PackCheck | IndexCheck; onBytes: ((bytes: number) => void) | undefined },
  ): Promise<string> {
    const object = await this.#store.get(key);
    const path = join(folder, `tmp_pack_${randomBytes(6).toString("hex")}`);
    let file: FileHandle | undefined;
    try {
      if (object.size !== o.size) throw new PackError(`${key} has ${object.size} bytes, not ${o.size}`);
      file = await open(path, "wx", 0o444);
      for await (const chunk of object.body) {
        o.check.update(chunk);
        for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten;
        o.onBytes?.(chunk.length);
      }
      await file.sync();
      return path;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await file?.close();
      await object.body[Symbol.asyncIterator]().return?.();
    }
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
