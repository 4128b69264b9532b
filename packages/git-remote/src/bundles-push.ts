import { mkdtemp, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  changeRef,
  initHead,
  readHead,
  uploadBundle,
  whyUnfit,
  writeBundle,
  type Archive,
  type BundleListing,
} from "@holdall/git-bundles";
import { RefNames } from "@holdall/git-protocol";
import { GitError, GitStoreError, Temporary, type LocalGit } from "@holdall/git-store/core";
import { StorageError, type ObjectStore, type ObjectVersion } from "@holdall/object-store/open";
import type { Move, Moves } from "./moves.ts";
import { stateOf } from "./bundles-state.ts";

/** Refs on their way at once. */
const AT_ONCE = 4;

export interface BundlePushParts {
  readonly store: ObjectStore;
  readonly git: LocalGit;
  readonly zip: boolean;
  readonly lockTtl?: number;
  readonly draw: ((text: string) => void) | undefined;
  readonly warn: (text: string) => void;
}

/** What refs are to be, and the object in the store that can be copied for each. */
interface Target {
  readonly oid: string;
  readonly from: ObjectVersion;
}

/** Objects that refs are to get, and the moves that give them. */
interface Group {
  /** Undefined: the refs are to go. */
  readonly oid: string | undefined;
  readonly moves: readonly Move[];
}

/** One push to a repository in git-remote-s3's layout: each ref by itself, and one upload for all that get the same object. */
export class BundlePush {
  readonly #o: BundlePushParts;
  readonly #moves: Moves;
  readonly #listing: BundleListing;

  constructor(o: BundlePushParts, moves: Moves, listing: BundleListing) {
    this.#o = o;
    this.#moves = moves;
    this.#listing = listing;
  }

  /** What would be there and git-remote-s3 could not use, or only to do harm. */
  refuseUnfit(): void {
    for (const { ref, to } of this.#moves.going) {
      if (to === undefined) continue;
      const why =
        this.#moves.format === "sha1"
          ? whyUnfit(ref)
          : "git-remote-s3 cannot read a SHA-256 repository: push to one in Holdall's own layout (layout=packs)";
      if (why !== undefined) this.#moves.refuse(ref, why);
    }
  }

  /** Makes the moves that may be made; the others are refused. */
  async run(): Promise<void> {
    const { going } = this.#moves;
    const waiting = groupsOf(going).values();
    const workers = Array.from({ length: AT_ONCE }, async () => {
      for (const group of waiting) await this.#move(group);
    });
    await Promise.all(workers);
    if (this.#listing.head === undefined) await this.#initHead();
  }

  /** The branch that is checked out here is the best guess of what clones should begin with. */
  async #initHead(): Promise<void> {
    const branches = this.#moves.going.filter(({ ref, to }) => to !== undefined && ref.startsWith("refs/heads/"));
    if (branches.length === 0) return;
    try {
      await initHead(this.#o.store, await this.#moves.newHead());
    } catch (error) {
      this.#o.warn(`HEAD was not written, which says what clones begin with: ${messageOf(error)}`);
    }
  }

  async #move({ oid, moves }: Group): Promise<void> {
    if (oid === undefined) {
      for (const { ref } of moves) await this.#change(ref, undefined, undefined);
      return;
    }
    let left = moves;
    try {
      const { git, store } = this.#o;
      // Git clears away what is called so, if nobody else does.
      await using folder = new Temporary(await mkdtemp(join(await git.objectFolder(), "tmp_bundle_")));
      const archive = this.#o.zip ? await this.#archive(folder.path, oid) : undefined;
      // Somebody has uploaded it for another ref.
      const same = [...this.#listing.refs.values()].find((entry) => entry.oid === oid);
      if (same !== undefined) left = await this.#changeAll(left, { oid, from: same }, archive);
      const [first] = left;
      if (first === undefined) return;
      const path = join(folder.path, "bundle");
      const size = await writeBundle(git, path, { oid, ref: first.ref });
      this.#o.draw?.(`Sending ${left.map(({ ref }) => ref).join(", ")}, ${size} bytes\n`);
      const upload = await uploadBundle(store, { path, size });
      left = await this.#changeAll(left, { oid, from: upload }, archive);
      for (const { ref } of left) this.#moves.refuse(ref, "the upload was removed by somebody else: try again");
      await store.delete(upload.key).catch(() => undefined);
    } catch (error) {
      const why = messageOf(error);
      for (const { ref } of left) this.#moves.refuse(ref, why);
    }
  }

  /** @returns those for which there was nothing to copy any more */
  async #changeAll(moves: readonly Move[], to: Target, archive: Archive | undefined): Promise<readonly Move[]> {
    const left: Move[] = [];
    for (const move of moves) if ((await this.#change(move.ref, to, archive)) === "gone") left.push(move);
    return left;
  }

  /** What goes wrong with one ref is said of that one: the others are no worse for it. */
  async #change(ref: string, to: Target | undefined, archive: Archive | undefined): Promise<"gone" | undefined> {
    const { store, warn, lockTtl } = this.#o;
    const onWait = (since: Date): void =>
      warn(`somebody else has been pushing to ${ref} since ${since.toISOString()}: waiting for them`);
    const change = {
      ref,
      to,
      refuse: (now: BundleListing) => this.#reasonAgainst({ ref, to }, now),
      contains: (ancestor: string, descendant: string) => this.#contains(ancestor, descendant),
      archive,
      warn,
    };
    try {
      const refused = await changeRef(store, change, { ...(lockTtl === undefined ? {} : { ttl: lockTtl }), onWait });
      if (refused !== undefined) this.#moves.refuse(ref, refused);
    } catch (error) {
      if (to !== undefined && error instanceof StorageError && error.code === "not-found") return "gone";
      this.#moves.refuse(ref, messageOf(error));
    }
    return undefined;
  }

  /** Of annotated tags git would say where their commits are, and they themselves are in no history. */
  async #contains(ancestor: string, descendant: string): Promise<boolean> {
    if (ancestor === descendant) return true;
    const { git } = this.#o;
    return (await git.typesOf([ancestor])).get(ancestor) === "commit" && (await git.isAncestor(ancestor, descendant));
  }

  async #reasonAgainst(move: Move, now: BundleListing): Promise<string | undefined> {
    const head = move.to === undefined ? await readHead(this.#o.store) : undefined;
    const state = stateOf({ ...now, head });
    // A ref that is being made is as good as one that is there.
    const locked = now.locks.flatMap(({ ref }) => (ref === move.ref ? [] : [ref]));
    return this.#moves.reasonAgainst(move, state, new RefNames([...now.refs.keys(), ...locked]));
  }

  /** The files of a commit. Undefined for what has none, such as a tag of a blob. */
  async #archive(folder: string, oid: string): Promise<Archive | undefined> {
    const { git, warn } = this.#o;
    const path = join(folder, "repo.zip");
    try {
      await git.run(["archive", "--format=zip", `--output=${path}`, oid]);
      const summary = (await git.run(["log", "-1", "--no-show-signature", "--pretty=%h %s", oid])).trim();
      return { path, size: (await stat(path)).size, oid, summary: asHeader(summary) };
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      warn(`there is no zip of ${oid}: ${error.message}`);
      return undefined;
    }
  }
}

/** In one line, as git takes it. @throws what is nothing that git's user could do something about */
function messageOf(error: unknown): string {
  const isExpected = error instanceof StorageError || error instanceof GitStoreError || error instanceof GitError;
  if (!isExpected) throw error;
  return error.message.replaceAll(/\s+/g, " ");
}

function groupsOf(moves: readonly Move[]): Group[] {
  const byOid = Map.groupBy(moves, ({ to }) => to?.oid);
  return [...byOid].map(([oid, group]) => ({ oid, moves: group }));
}

/** The longest metadata that every store takes, in bytes, with room for its name. */
const MOST_HEADER = 1800;

/** As S3 itself writes metadata that is more than ASCII (RFC 2047). */
function asHeader(text: string): string {
  const plain = text.replaceAll(/\p{Cc}+/gu, " ");
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.slice(0, MOST_HEADER);
  let cut = plain.slice(0, MOST_HEADER / 2);
  while (Buffer.byteLength(cut) > MOST_HEADER / 2) cut = cut.slice(0, -1);
  return `=?UTF-8?B?${Buffer.from(cut).toString("base64")}?=`;
}
