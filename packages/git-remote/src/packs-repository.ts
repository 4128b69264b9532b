import { GitStore, GitStoreError, type LocalGit, Packs, type Snapshot } from "@holdall/git-store/core";
import type { ObjectStore } from "@holdall/object-store/open";
import { Installed } from "./installed.ts";
import type { Options } from "./options.ts";
import type { Listing, PushLine, PushResult, RemoteRepository } from "./repository.ts";

/** A clone can be quick with as many packs as this; from here on whoever pushes merges the smaller ones. */
const MANY_PACKS = 11;
/** Whoever comes to so many more does so, if the one before has not. */
const NEXT_TURN = 4;
/** What somebody who pushes one line will wait for: so many bytes of packs. */
const CHEAP = 32 * 1024 * 1024;

export interface RepositoryParts {
  /** Whose root is the repository. */
  readonly store: ObjectStore;
  /** Where objects come to, and from. */
  readonly git: LocalGit;
  /** As git was given it; what is noted of the remote is noted under it. */
  readonly url: string;
  readonly singleWriter: boolean;
  /** Whatever comes into `git` stays there, which of a clone cannot be said. */
  readonly dropsNothing: boolean;
  /** Takes text for the terminal as it is; undefined when nobody wants to see progress. */
  readonly draw: ((text: string) => void) | undefined;
}

/** A repository as git-store keeps it. What git has not asked for is not loaded either: helpers start anew each time. */
export class PacksRepository implements RemoteRepository {
  readonly #o: RepositoryParts;
  readonly #store: GitStore;
  readonly #packs: Packs;
  readonly #installed: Installed;
  #snapshot: Snapshot | undefined;
  #pushed: Snapshot | undefined;

  constructor(o: RepositoryParts) {
    this.#o = o;
    this.#store = new GitStore(o.store, { singleWriter: o.singleWriter });
    this.#packs = new Packs(o.store);
    this.#installed = new Installed(o.git, o.url);
  }

  async list(): Promise<Listing | undefined> {
    this.#snapshot = await this.#store.read();
    return this.#snapshot?.manifest;
  }

  async fetch(wants: readonly string[]): Promise<readonly string[]> {
    const manifest = this.#snapshot?.manifest;
    if (manifest === undefined) throw new GitStoreError("corrupt", "git wants objects of a repository that is empty");
    const { git, draw, dropsNothing } = this.#o;
    const { fetchObjects } = await import("./fetch.ts");
    return await fetchObjects(manifest, wants, {
      git,
      packs: this.#packs,
      installed: this.#installed,
      again: async () => (await this.#store.read())?.manifest,
      dropsNothing,
      draw,
    });
  }

  async push(
    lines: readonly PushLine[],
    { dryRun, atomic, leases, pushOptions }: Options,
  ): Promise<readonly PushResult[]> {
    const { pushRefs } = await import("./push.ts");
    const { results, after } = await pushRefs(lines, {
      git: this.#o.git,
      store: this.#store,
      packs: this.#packs,
      installed: this.#installed,
      listed: this.#snapshot,
      atomic,
      dryRun,
      leases,
      options: pushOptions,
      draw: this.#o.draw,
    });
    this.#pushed = after;
    return results;
  }

  /** Merges small packs when there are many. Of several who push meanwhile one does. */
  async tidy(): Promise<void> {
    const after = this.#pushed;
    if (after === undefined) return;
    const tooMany = after.manifest.packs.length - MANY_PACKS;
    if (tooMany < 0 || tooMany % NEXT_TURN > 0) return;
    try {
      const { compact } = await import("@holdall/git-store");
      const then = await compact({ git: this.#store, store: this.#o.store }, after, { most: CHEAP });
      if (then !== undefined) await this.#noteMerged(after, then);
    } catch (error) {
      // The next one who pushes will do it, or `holdall repo maintain`.
      this.#o.draw?.(`The packs could not be merged: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }

  /** What was merged here, and of packs that are here, need not be fetched. */
  async #noteMerged(before: Snapshot, after: Snapshot): Promise<void> {
    const [old, names] = [before, after].map(({ manifest }) => manifest.packs.map(({ name }) => name));
    if (old === undefined || names === undefined) return;
    const gone = old.filter((name) => !names.includes(name));
    const { noted, files } = await this.#installed.among(gone);
    // Somebody who has pushed since has brought one that is not here.
    const come = names.filter((name) => !old.includes(name));
    if (come.length === 1 && gone.every((name) => noted.has(name) || files.has(name)))
      await this.#installed.add(come, names);
  }
}
