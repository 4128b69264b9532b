import { join } from "node:path";
import { VerifyLayer, type ObjectStore } from "@holdall/object-store/open";
import type { Connection } from "./agent.ts";
import { download } from "./download.ts";
import type { Wanted } from "./messages.ts";
import { Places } from "./places.ts";
import { upload } from "./upload.ts";

export interface TransferOptions {
  readonly signal: AbortSignal;
  /** Told of bytes that have gone or come; of fewer than none when they have to go or come again. */
  readonly progress: (bytes: number) => void;
}

/** What transfers share. */
export interface TransferContext {
  /** Checks digests of what is put. */
  readonly store: ObjectStore;
  readonly name: string;
  readonly places: Places;
  readonly folders: Folders;
}

/** Where files are while they are made, in git-lfs's own folder, so that they have only to be renamed. */
export interface Folders {
  /** Git-lfs removes from it what is older than an hour, or has become an object. */
  readonly temporary: string;
  /** Beginnings of objects, `<oid>.part`: git-lfs's own downloads go on with them, and this agent with those of git-lfs. */
  readonly incomplete: string;
  /** What is known of uploads in parts. */
  readonly uploads: string;
}

/** Transfers between one store and one git-lfs. */
export class Transfers {
  readonly #c: TransferContext;

  constructor({ store, name, folder, flat }: Connection) {
    this.#c = {
      store: store.capabilities.checkSha256 ? store : new VerifyLayer(store),
      name,
      places: new Places(store, { flat }),
      folders: {
        temporary: join(folder, "tmp"),
        incomplete: join(folder, "incomplete"),
        uploads: join(folder, "holdall", "uploads"),
      },
    };
  }

  /** @throws StorageError, TransferError */
  upload(wanted: Wanted & { readonly path: string }, o: TransferOptions): Promise<undefined> {
    return upload(this.#c, wanted, o);
  }

  /** @returns the path of a file that has the object's bytes. @throws StorageError, TransferError */
  download(wanted: Wanted, o: TransferOptions): Promise<string> {
    return download(this.#c, wanted, o);
  }

  close(): Promise<void> {
    return this.#c.store.close();
  }
}
