import assert from "node:assert/strict";
import { listing } from "../listing.ts";
import type { Person } from "./person.ts";

/** Git empties it before it asks a remote. */
const BY_GIT = "FETCH_HEAD";

/** Every file of a repository as it is, but for what git itself writes before it asks anybody. */
export async function stateOf(ada: Person, folder: string): Promise<Readonly<Record<string, string>>> {
  const { [BY_GIT]: _, ...files } = await listing(ada.path(folder, ".git"));
  return files;
}

/** Something is refused and leaves a repository, to the byte, and all places for temporary files as they were. */
export async function leavesUntouched(ada: Person, folder: string, work: () => Promise<unknown>): Promise<void> {
  const before = await stateOf(ada, folder);
  await work();
  assert.deepEqual(await stateOf(ada, folder), before);
  assert.deepEqual(await ada.temporaries(), []);
}
