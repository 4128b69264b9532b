import { createHash, randomBytes, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "@holdall/object-store/open";
import type { Wanted } from "./messages.ts";
import type { Folders } from "./transfers.ts";

const CHUNK = 1024 * 1024;

/** A file that an object comes into, hashed on the way. */
export class IncomingFile {
  readonly #path: string;
  /** Where its bytes wait for another attempt. */
  readonly #partial: string;
  readonly #handle: FileHandle;
  #hash: Hash = createHash("sha256");
  #digest: string | undefined;
  #bytes = 0;

  private constructor(path: string, partial: string, handle: FileHandle) {
    this.#path = path;
    this.#partial = partial;
    this.#handle = handle;
  }

  /** @param o.resumable goes on with what an earlier attempt has left */
  static async open(
    { temporary, incomplete }: Folders,
    { oid, size }: Wanted,
    { resumable }: { readonly resumable: boolean },
  ): Promise<IncomingFile> {
    await mkdir(temporary, { recursive: true });
    // Git-lfs tells by the oid before the dash that it may remove it.
    const path = join(temporary, `${oid}-holdall-${randomBytes(8).toString("hex")}`);
    const partial = join(incomplete, `${oid}.part`);
    const isTaken = resumable && (await take(partial, path));
    const file = new IncomingFile(path, partial, await open(path, "a+"));
    try {
      if (isTaken) await file.#readBack(size);
    } catch (error) {
      await file.giveUp({ keep: false });
      throw error;
    }
    return file;
  }

  /** How many it has. */
  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    // Unlike `write`, it goes on until all of it is written.
    await this.#handle.appendFile(chunk);
    this.#bytes += chunk.length;
  }

  /** The SHA-256 of all bytes. Nothing may be written afterwards unless it is cleared. */
  digest(): string {
    this.#digest ??= this.#hash.digest("hex");
    return this.#digest;
  }

  /** Empties it. */
  async clear(): Promise<void> {
    await this.#handle.truncate();
    this.#hash = createHash("sha256");
    this.#digest = undefined;
    this.#bytes = 0;
  }

  /** @returns its path */
  async finish(): Promise<string> {
    await this.#handle.close();
    return this.#path;
  }

  /** Removes it, or lets its bytes wait for another attempt. */
  async giveUp({ keep }: { readonly keep: boolean }): Promise<void> {
    await this.#handle.close();
    if (keep && this.#bytes > 0) {
      await mkdir(dirname(this.#partial), { recursive: true });
      await rename(this.#path, this.#partial);
    } else {
      await rm(this.#path, { force: true });
    }
  }

  /** Hashes what is there already; more than the object has is none of it. */
  async #readBack(size: number): Promise<void> {
    if ((await this.#handle.stat()).size > size) return this.clear();
    for await (const chunk of createReadStream(this.#path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
      this.#hash.update(chunk);
      this.#bytes += chunk.length;
    }
  }
}

/** In one step, so that of two processes one has it. */
async function take(partial: string, path: string): Promise<boolean> {
  try {
    await rename(partial, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
