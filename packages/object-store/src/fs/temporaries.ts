import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { open, unlink } from "./calls.ts";
import { isErrno } from "./errors.ts";
import type { Folders } from "./folders.ts";
import { ProcessLock } from "./process-lock.ts";

const LOCK_SUFFIX = ".lock";
/** A private folder or its lock; anything else is not ours to remove. */
const OWNER = /^([0-9a-f]{16})(?:\.lock)?$/;

interface Claim {
  readonly folder: string;
  readonly lock: ProcessLock;
}

/**
 * The private folder of one store object for files that are not published yet, and the sweep of folders whose owner is
 * gone. Each folder has a lock beside it that its owner holds for as long as it lives, so a sweep at any time, by any
 * process on the machine, tells the orphans of a kill -9 from uploads that are under way, without looking at clocks.
 */
export class Temporaries {
  readonly #parent: string;
  readonly #turn: string;
  readonly #folders: Folders;
  #own: Promise<Claim> | undefined;
  #count = 0;

  /**
   * @param parent holds one folder and one lock for each living owner; in the same file system as the objects
   * @param turn a lock file, under which folders are claimed and swept: a sweep must not meet a claim that is half made
   */
  constructor(parent: string, turn: string, folders: Folders) {
    this.#parent = parent;
    this.#turn = turn;
    this.#folders = folders;
  }

  /** Opens a new file in the private folder, which is made on first use: a reader needs none. */
  async create(): Promise<{ readonly path: string; readonly fd: number }> {
    const own = this.#claimed();
    try {
      return await this.#createIn(await own);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      // Someone removed the folder behind our back. Whoever notices first claims another.
      if (this.#own === own) this.#own = undefined;
      this.#folders.forget();
      const { lock } = await own;
      lock.release();
      return await this.#createIn(await this.#claimed());
    }
  }

  async #createIn({ folder }: Claim): Promise<{ readonly path: string; readonly fd: number }> {
    this.#count += 1;
    const path = join(folder, this.#count.toString(36));
    return { path, fd: await open(path, "wx") };
  }

  #claimed(): Promise<Claim> {
    this.#own ??= this.#claim();
    return this.#own;
  }

  async #claim(): Promise<Claim> {
    try {
      await this.#folders.make(this.#parent);
      using _turn = await ProcessLock.acquire(this.#turn);
      const folder = join(this.#parent, randomBytes(8).toString("hex"));
      const lock = await ProcessLock.acquire(folder + LOCK_SUFFIX);
      try {
        await mkdir(folder, { mode: 0o700 });
      } catch (error) {
        lock.release();
        throw error;
      }
      return { folder, lock };
    } catch (error) {
      this.#own = undefined;
      throw error;
    }
  }

  /** Removes what dead owners left behind; returns the number of files removed. */
  async sweep(): Promise<number> {
    // Nobody ever wrote here, or may not.
    if ((await listFolder(this.#parent)).length === 0) return 0;
    using _turn = await ProcessLock.acquire(this.#turn);
    const owners = new Set((await listFolder(this.#parent)).map((name) => OWNER.exec(name)?.[1]));
    let removed = 0;
    for (const owner of owners) if (owner !== undefined) removed += await sweepFolder(join(this.#parent, owner));
    return removed;
  }

  /** Gives up the private folder. Files that are still being written in it lose their name. */
  async close(): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    const { folder, lock } = await own;
    await rm(folder, { recursive: true, force: true });
    lock.release();
    await rm(folder + LOCK_SUFFIX, { force: true });
  }
}

async function sweepFolder(folder: string): Promise<number> {
  // Held by its owner as long as that lives, us included.
  const lock = ProcessLock.tryAcquire(folder + LOCK_SUFFIX);
  if (lock === undefined) return 0;
  let files: string[];
  try {
    files = await listFolder(folder);
    await rm(folder, { recursive: true, force: true });
  } finally {
    // Windows removes no file that is open. Nobody else comes between: this is our turn, and owners choose new names.
    lock.release();
  }
  await rm(folder + LOCK_SUFFIX, { force: true });
  return files.length;
}

async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** After a rename it is gone already. */
export async function removeTemporary(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
