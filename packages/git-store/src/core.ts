// What it takes to read a repository, to push to it and to fetch from it, for programs that are started anew each time. All else that
// is done with one is in `index.ts`.

export { GitStoreError } from "./errors.ts";
export type { Draft } from "./change.ts";
export { GitStore, type Snapshot } from "./git-store.ts";
export { GitError, LocalGit } from "./local-git.ts";
export type { Manifest, PackEntry, RefRule, RefValue } from "./manifest.ts";
export { entryOf, Packs } from "./packs.ts";
export { isDenied } from "./rules.ts";
export { removeTemporaries, Temporary } from "./temporaries.ts";
