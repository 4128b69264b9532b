import { dirname } from "node:path";
import { makeFolder, syncFolder } from "./make-folder.ts";

/** How many folders are remembered. Past that they are all looked at again. */
const REMEMBERED = 100_000;

/** Makes the folders below a root, and makes what happened in them survive a power cut. */
export class Folders {
  readonly #root: string;
  readonly #made = new Set<string>();
  readonly #durable = new Set<string>();
  /** Syncs under way, and for each folder the one that begins when that ends. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
    this.#durable.add(root);
  }

  /** Makes sure that the folder exists. */
  async make(folder: string): Promise<void> {
    if (this.#made.has(folder)) return;
    const first = await makeFolder(folder);
    // The root itself is new: then it, and what was made above it, is to survive too.
    if (first !== undefined && first.length <= this.#root.length) {
      for (let at = this.#root; at.length >= first.length; at = dirname(at)) this.#durable.delete(at);
      this.#durable.add(dirname(first));
    }
    if (this.#made.size >= REMEMBERED) this.#made.clear();
    this.#made.add(folder);
  }

  /** Forgets what it knew, for when a folder that was known turns out to be gone. */
  forget(): void {
    this.#made.clear();
    this.#durable.clear();
    this.#durable.add(this.#root);
  }

  /**
   * Makes the entries of the folder durable, and the folder itself, up to the root. All at once: a journalling file
   * system then does it in one commit.
   */
  async sync(folder: string): Promise<void> {
    const unsure: string[] = [];
    for (let at = folder; !this.#durable.has(at); at = dirname(at)) unsure.push(at);
    await Promise.all([folder, ...unsure.map((path) => dirname(path))].map((path) => this.#syncOnce(path)));
    if (this.#durable.size >= REMEMBERED) this.forget();
    for (const path of unsure) this.#durable.add(path);
  }

  /**
   * A sync makes durable what had happened when it began. So whoever comes while one is under way needs another, which
   * all who come until that begins share.
   */
  #syncOnce(path: string): Promise<void> {
    const running = this.#running.get(path);
    if (running === undefined) return this.#run(path);
    const waiting = this.#next.get(path);
    if (waiting !== undefined) return waiting;
    const next = running.then(
      () => this.#runNext(path),
      () => this.#runNext(path),
    );
    this.#next.set(path, next);
    return next;
  }

  #runNext(path: string): Promise<void> {
    this.#next.delete(path);
    return this.#run(path);
  }

  async #run(path: string): Promise<void> {
    const sync = syncFolder(path);
    this.#running.set(path, sync);
    try {
      await sync;
    } finally {
      if (this.#running.get(path) === sync) this.#running.delete(path);
    }
  }
}
