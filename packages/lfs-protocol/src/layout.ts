import type { Oid } from "./oid.ts";
import type { RepositoryName } from "./repository-name.ts";

/**
 * Where objects lie in a store:
 * - `shared`: one copy for all repositories, `objects/aa/bb/<oid>`.
 * - `per-repository`: a copy for each repository, `<repository>/<oid>`, as Giftless keeps them.
 * - `flat`: `lfs/<oid>`, as git-remote-s3 keeps them.
 * - `sharded`: `lfs/objects/aa/bb/<oid>`, as mirrors and bare repositories keep them.
 */
export const LAYOUTS = ["shared", "per-repository", "flat", "sharded"] as const;
export type Layout = (typeof LAYOUTS)[number];

/** The place of an object, relative to the store, with `/` between segments. */
export function objectPath(layout: Layout, repository: RepositoryName, oid: Oid): string {
  switch (layout) {
    case "shared":
      return `objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
    case "per-repository":
      return `${repository}/${oid}`;
    case "flat":
      return flatPath(oid);
    case "sharded":
      return shardedPath(oid);
  }
}

/** As {@link objectPath} in the layout `flat`, which knows no repositories. */
export function flatPath(oid: Oid): string {
  return `lfs/${oid}`;
}

/** As {@link objectPath} in the layout `sharded`, which knows no repositories. */
export function shardedPath(oid: Oid): string {
  return `lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
}
