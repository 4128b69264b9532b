import type { ObjectFormat } from "@holdall/git-protocol";
import type { RefValue } from "@holdall/git-store/core";
import type { Options } from "./options.ts";

/** A repository in a store as git is to see it, in whichever layout it is kept. */
export interface RemoteRepository {
  /** Looks anew. Undefined: there is none yet. What follows goes by what the last look has shown. */
  list(): Promise<Listing | undefined>;
  /**
   * Makes these objects, and all that they reach, be in the local repository.
   * @returns the `.keep` files that hold off `git gc`, to be removed when the refs are there
   */
  fetch(wants: readonly string[]): Promise<readonly string[]>;
  /** Moves refs. One that does not move has a reason, in git's own words where git has any. */
  push(lines: readonly PushLine[], o: Options): Promise<readonly PushResult[]>;
  /** What a push leaves to be done that nobody has to wait for. What goes wrong in it is nobody's loss. */
  tidy?(): Promise<void>;
}

export interface Listing {
  readonly objectFormat: ObjectFormat;
  /** The branch that a clone begins with, which need not be there; undefined when nobody has said. */
  readonly head: string | undefined;
  readonly refs: ReadonlyMap<string, RefValue>;
}

/** One line of a push. */
export interface PushLine {
  /** Undefined: the ref is to be deleted. */
  readonly source: string | undefined;
  readonly ref: string;
  readonly force: boolean;
}

/** What git is told of one ref; without a reason it moved. */
export interface PushResult {
  readonly ref: string;
  readonly refused?: string;
}
