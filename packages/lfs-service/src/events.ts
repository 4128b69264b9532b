import type { Oid, RepositoryName } from "@holdall/lfs-protocol";

/** What an operator wants to find in the log, whoever was at the door. */
export type LfsEvent = {
  /** During which request: the door logs that one by the same id. */
  readonly requestId: string;
} & (
  | { readonly type: "repository-created"; readonly repository: RepositoryName; readonly by: string }
  | {
      readonly type: "lock-forced";
      readonly repository: RepositoryName;
      readonly path: string;
      readonly id: string;
      /** Whose lock it was. */
      readonly owner: string;
      /** Who took it away. */
      readonly by: string;
    }
  | { readonly type: "object-damaged"; readonly repository: RepositoryName; readonly oid: Oid; readonly reason: string }
  | { readonly type: "object-healed"; readonly repository: RepositoryName; readonly oid: Oid; readonly by: string }
);

export type OnLfsEvent = (event: LfsEvent) => void;
