import { GitStoreError } from "@holdall/git-store/core";
import { PacksRepository, type RepositoryParts } from "./packs-repository.ts";
import type { Listing, RemoteRepository } from "./repository.ts";

/** How a repository is kept: as git-store keeps it, or as git-remote-s3 does. */
export type Layout = "packs" | "bundles";

export interface OpenParts extends RepositoryParts {
  /** Undefined: whatever is there; packs where there is nothing. */
  readonly layout: Layout | undefined;
  /** In git-remote-s3's layout: beside each branch that is pushed, its files as `repo.zip`. */
  readonly zip: boolean;
  /** The same: seconds after which a lock is stale. */
  readonly lockTtl: number | undefined;
  /** For people: takes text as it is. */
  readonly say: (text: string) => void;
}

export interface Opened {
  readonly repository: RemoteRepository;
  /** As it was just listed. */
  readonly listing: Listing | undefined;
}

/** Looks what a store holds. One request where there is a repository of packs. */
export async function openRepository(o: OpenParts): Promise<Opened> {
  const packs = new PacksRepository(o);
  const listing = await packs.list();
  if (o.layout === "packs" || (o.layout === undefined && listing !== undefined)) return { repository: packs, listing };
  if (listing !== undefined) {
    throw new GitStoreError(
      "refused",
      "the repository was imported: its bundles are no longer what it is. Take layout=bundles, or the zip of s3+zip, out of the remote's URL",
    );
  }
  const [{ hasBundles }, { BundlesRepository }] = await Promise.all([
    import("@holdall/git-bundles"),
    import("./bundles-repository.ts"),
  ]);
  if (o.layout === undefined && !(await hasBundles(o.store))) return { repository: packs, listing };
  const { lockTtl, ...rest } = o;
  const repository = new BundlesRepository({ ...rest, ...(lockTtl === undefined ? {} : { lockTtl }) });
  return { repository, listing: await repository.list() };
}
