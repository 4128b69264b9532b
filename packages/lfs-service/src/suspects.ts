import type { Layout, Oid, RepositoryName } from "@holdall/lfs-protocol";
import { MetadataError, type LinkedObject, type Objects, type Repositories, type Repository } from "@holdall/metadata";
import type { ObjectStore } from "@holdall/object-store";
import { objectKey } from "./object-key.ts";

/** How many objects of one batch are looked for at once. */
const LOOKS_AT_ONCE = 16;

/**
 * Objects whose bytes the store did not have, or not all of them, when somebody wanted them. Batches believe the
 * database, which costs no look at the store; of these they do not, so that clients are asked for the bytes again.
 * Links stay as they are: what is missing may be back in a moment, with the disk that was not mounted.
 */
export class Suspects {
  readonly #repositories: Repositories;
  readonly #objects: Objects;
  readonly #store: ObjectStore;
  readonly #layout: Layout;

  constructor(o: { repositories: Repositories; objects: Objects; store: ObjectStore; layout: Layout }) {
    this.#repositories = o.repositories;
    this.#objects = o.objects;
    this.#store = o.store;
    this.#layout = o.layout;
  }

  /** Whoever asked for the object did not find it whole. */
  async report(name: RepositoryName, oid: Oid): Promise<void> {
    await asFarAsPossible(async () => {
      const repository = await this.#repositories.find(name);
      if (repository !== undefined) await this.#objects.suspect(repository.id, oid);
    });
  }

  /** Looks for those that are suspect. @returns those that are missing, or not whole, still; StorageError when it fails */
  async missing(repository: Repository, linked: ReadonlyMap<Oid, LinkedObject>): Promise<ReadonlySet<Oid>> {
    const missing = new Set<Oid>();
    const suspects = [...linked].filter(([, { suspect }]) => suspect).values();
    const look = async (): Promise<void> => {
      for (const [oid, { size }] of suspects) {
        const stored = await this.#store.stat(objectKey(this.#layout, repository.name, oid));
        if (stored?.size === size) await asFarAsPossible(() => this.#objects.link(repository.id, { oid, size }));
        else missing.add(oid);
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, look));
    return missing;
  }
}

/**
 * What is noted here saves a look, or brings about one; the answer to a client does not depend on it. A database that
 * takes no writes tells that to those who need one.
 */
async function asFarAsPossible(note: () => Promise<void>): Promise<void> {
  try {
    await note();
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
  }
}
