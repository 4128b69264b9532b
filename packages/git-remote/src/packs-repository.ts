import { GitStore, GitStoreError, type LocalGit, Packs, type Snapshot } from "@holdall/git-store";
import type { ObjectStore } from "@holdall/object-store";
import { fetchObjects } from "./fetch.ts";
import { Installed } from "./installed.ts";
import type { Options } from "./options.ts";
import { pushRefs } from "./push.ts";
import type { Listing, PushLine, PushResult, RemoteRepository } from "./repository.ts";

export interface RepositoryParts {
  /** Whose root is the repository. */
  readonly store: ObjectStore;
  /** Where objects come to, and from. */
  readonly git: LocalGit;
  /** As git was given it; what is noted of the remote is noted under it. */
  readonly url: string;
  readonly singleWriter: boolean;
  /** Takes text for the terminal as it is; undefined when nobody wants to see progress. */
  readonly draw: ((text: string) => void) | undefined;
}

/** A repository as git-store keeps it. */
export class PacksRepository implements RemoteRepository {
  readonly #o: RepositoryParts;
  readonly #store: GitStore;
  readonly #packs: Packs;
  readonly #installed: Installed;
  #snapshot: Snapshot | undefined;

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
    const { git, draw } = this.#o;
    const again = async (): Promise<typeof manifest | undefined> => (await this.#store.read())?.manifest;
    return await fetchObjects(manifest, wants, { git, packs: this.#packs, installed: this.#installed, again, draw });
  }

  async push(
    lines: readonly PushLine[],
    { dryRun, atomic, leases, pushOptions }: Options,
  ): Promise<readonly PushResult[]> {
    return await pushRefs(lines, {
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
  }
}
