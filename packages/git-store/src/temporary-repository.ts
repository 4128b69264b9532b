import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectFormat } from "@holdall/git-protocol";
import type { ObjectStore } from "@holdall/object-store/open";
import { LocalGit } from "./local-git.ts";
import type { PackEntry } from "./manifest.ts";
import { Packs, type PackFiles } from "./packs.ts";
import { Temporary } from "./temporaries.ts";

/** Packs on their way at once. */
const AT_ONCE = 4;

/** Is told what is being done, in a few words. */
export type Say = (text: string) => void;

/** A bare repository among the system's temporary files, for what git has to do with packs of a store. */
export class TemporaryRepository implements AsyncDisposable {
  readonly git: LocalGit;
  readonly #folder: Temporary;
  readonly #packs: Packs;
  readonly #format: ObjectFormat;

  private constructor(folder: Temporary, store: ObjectStore, format: ObjectFormat) {
    this.#folder = folder;
    this.#packs = new Packs(store);
    this.#format = format;
    this.git = LocalGit.apart(join(folder.path, "repository"));
  }

  /** @param store from which packs come */
  static async create(store: ObjectStore, format: ObjectFormat): Promise<TemporaryRepository> {
    const folder = new Temporary(await mkdtemp(join(tmpdir(), "holdall-git-")));
    const repository = new TemporaryRepository(folder, store, format);
    try {
      const { git } = repository;
      await git.init(format);
      return repository;
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Fetches packs, several at a time.
   * @param failed is given each that cannot be had, and why; without it, that ends the fetching
   */
  async fetch(
    entries: readonly PackEntry[],
    o: { readonly say?: Say | undefined; readonly failed?: (entry: PackEntry, error: unknown) => void } = {},
  ): Promise<void> {
    const folder = await this.git.packFolder();
    const waiting = entries.entries();
    const worker = async (): Promise<void> => {
      for (const [index, entry] of waiting) {
        o.say?.(`fetching pack ${index + 1} of ${entries.length}`);
        try {
          await this.#packs.fetch(entry, folder, { format: this.#format, keep: "temporary" });
        } catch (error) {
          if (o.failed === undefined) throw error;
          o.failed(entry, error);
        }
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /**
   * Those of the objects that are here with all that they reach.
   * @param whole objects of which that is known
   */
  async complete(oids: Iterable<string>, whole: Iterable<string> = []): Promise<readonly string[]> {
    const here = [...(await this.git.typesOf(new Set(oids))).keys()];
    const known = [...whole];
    if (here.length === 0 || (await this.#reaches(here, known))) return here;
    const complete: string[] = [];
    for (const oid of here) if (await this.#reaches([oid], [...known, ...complete])) complete.push(oid);
    return complete;
  }

  /**
   * Makes a pack of what `wants` reach and `haves` do not.
   * @returns undefined when there is nothing in it
   * @throws GitError when something is not here
   */
  async makePack(wants: Iterable<string>, haves: Iterable<string> = []): Promise<PackFiles | undefined> {
    return await this.git.makePack(await this.#out(), { wants, haves });
  }

  /** Makes one pack of all that is in these. */
  async mergePacks(names: readonly string[]): Promise<PackFiles | undefined> {
    return await this.git.mergePacks(await this.#out(), names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }

  async #reaches(oids: readonly string[], known: readonly string[]): Promise<boolean> {
    const revisions = [...oids, ...known.map((oid) => `^${oid}`)];
    return (await this.git.tryRun(["rev-list", "--objects", "--quiet", "--stdin"], revisions)).code === 0;
  }

  /** A folder of its own for each pack that is made. */
  async #out(): Promise<string> {
    const folder = await mkdtemp(join(this.#folder.path, "out-"));
    return folder;
  }
}
