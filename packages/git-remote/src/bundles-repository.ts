import {
  fetchBundles,
  headOf,
  readBundles,
  requireLocks,
  requireRemoval,
  type BundleEntry,
  type BundleListing,
} from "@holdall/git-bundles";
import { GitStoreError, type LocalGit } from "@holdall/git-store/core";
import type { ObjectStore } from "@holdall/object-store/open";
import { BundlePush } from "./bundles-push.ts";
import { stateOf } from "./bundles-state.ts";
import { Moves } from "./moves.ts";
import type { Options } from "./options.ts";
import type { Listing, PushLine, PushResult, RemoteRepository } from "./repository.ts";

export interface BundlesParts {
  /** Whose root is the repository. */
  readonly store: ObjectStore;
  /** Where objects come to, and from. */
  readonly git: LocalGit;
  /** Beside each bundle goes a `repo.zip` of its commit's files. */
  readonly zip: boolean;
  /** Seconds after which a lock is stale; git-remote-s3's own when left out. */
  readonly lockTtl?: number;
  /** For people: takes text as it is. */
  readonly say: (text: string) => void;
  /** Takes text for the terminal as it is; undefined when nobody wants to see progress. */
  readonly draw: ((text: string) => void) | undefined;
}

/** A repository as git-remote-s3 keeps it: one bundle, with the whole history, for each ref. */
export class BundlesRepository implements RemoteRepository {
  readonly #o: BundlesParts;
  #listing: BundleListing | undefined;

  constructor(o: BundlesParts) {
    this.#o = o;
  }

  async list(): Promise<Listing | undefined> {
    const listing = await readBundles(this.#o.store);
    this.#listing = listing;
    for (const [ref, older] of listing.older) {
      const all = older.map(({ oid }) => oid.slice(0, 8)).join(", ");
      this.#warn(`${ref} has several bundles: the newest is taken, and not ${all} (holdall repo doctor mends that)`);
    }
    for (const key of listing.strange) this.#warn(`${key} is overlooked: no ref of this repository can be called so`);
    if (listing.refs.size === 0 && listing.head === undefined) return undefined;
    return { ...stateOf(listing), head: headOf(listing) };
  }

  async fetch(wants: readonly string[]): Promise<readonly string[]> {
    if (this.#listing === undefined)
      throw new GitStoreError("corrupt", "git wants objects of a repository that it has not looked at");
    const { store, git, draw } = this.#o;
    const onBundle = ({ ref, size }: BundleEntry, how: "fetched" | "known"): void =>
      draw?.(how === "fetched" ? `Fetching ${ref}, ${size} bytes\n` : `${ref} is here already\n`);
    return await fetchBundles(wants, this.#listing, { store, git, draw, onBundle, keep: KEEP });
  }

  async push(lines: readonly PushLine[], o: Options): Promise<readonly PushResult[]> {
    const { git, store } = this.#o;
    const listing = this.#listing ?? (await readBundles(store));
    if (o.atomic && lines.length > 1) {
      const refused = "git-remote-s3's layout cannot move several refs at once: push them one after another";
      return lines.map(({ ref }) => ({ ref, refused }));
    }
    requireLocks(store);
    const listed = listing.refs.size === 0 ? undefined : stateOf(listing);
    const [moves] = await Promise.all([
      Moves.check(lines, { git, listed, options: o, selfContained: true }),
      o.dryRun ? undefined : requireRemoval(store),
    ]);
    const push = new BundlePush({ ...this.#o, warn: (text) => this.#warn(text) }, moves, listing);
    push.refuseUnfit();
    if (!o.dryRun) await push.run();
    return moves.results;
  }

  #warn(text: string): void {
    this.#o.say(`warning: ${text}\n`);
  }
}

const KEEP = `fetched by Holdall, process ${process.pid}`;
