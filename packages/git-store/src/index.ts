export { GitStoreError, type GitStoreErrorCode } from "./errors.ts";
export { runToMerge } from "./geometry.ts";
export { GitStore, type Change, type Draft, type GitStoreOptions, type Snapshot } from "./git-store.ts";
export { GitError, LocalGit, type Ran } from "./local-git.ts";
export type { LogEntry, RefUpdate } from "./log-entry.ts";
export { collectGarbage, compact, GRACE, type Kept } from "./maintenance.ts";
export type { Denied, Manifest, PackEntry, RefRule, RefValue, RetiredPack } from "./manifest.ts";
export { entryOf, Packs, type PackFiles } from "./packs.ts";
export { removeTemporaries, Temporary } from "./temporaries.ts";
