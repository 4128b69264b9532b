import { close, fstatSync } from "../../fs/calls.ts";
import { removeFile } from "./files.ts";
import type { Share } from "./share.ts";

/** The file of an entry that is being filled, under a name of its own until it is whole. */
export class FillFile {
  readonly fd: number;
  readonly #path: string;
  readonly #name: string;
  readonly #share: Share;
  /** What it takes of the share's room. */
  #room = 0;
  #published = false;

  /** Takes over the descriptor. */
  constructor(fd: number, path: string, name: string, share: Share) {
    this.fd = fd;
    this.#path = path;
    this.#name = name;
    this.#share = share;
  }

  /** Whether somebody, in whatever process, has dropped the entry while it was filled: then it may be out of date. */
  get lost(): boolean {
    return fstatSync(this.fd).nlink === 0;
  }

  /** Makes room for so many bytes. @returns false when there is none */
  async admit(room: number): Promise<boolean> {
    if (!(await this.#share.admit(room))) return false;
    this.#room = room;
    return true;
  }

  /** Makes it an entry, unless it is lost. */
  async publish(): Promise<void> {
    this.#published = await this.#share.publish(this.#path, this.#name, this.#room);
  }

  /** Removes what has not become an entry. Whoever has the file open goes on reading it. */
  async discard(): Promise<void> {
    if (!this.#published) await removeFile(this.#path);
  }

  /** When nobody reads it any more. */
  async close(): Promise<void> {
    try {
      await close(this.fd);
    } finally {
      if (!this.#published) this.#share.giveBack(this.#room);
    }
  }
}
