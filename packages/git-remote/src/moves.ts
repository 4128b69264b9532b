import { isRefName, type ObjectFormat, RefNames } from "@holdall/git-protocol";
import { isDenied, type LocalGit, type RefRule, type RefValue } from "@holdall/git-store/core";
import type { Listing, PushLine, PushResult } from "./repository.ts";

/** A repository as far as a push depends on it. */
export interface RefState extends Listing {
  readonly rules: readonly RefRule[];
}

/** A line whose source was looked up. */
export interface Move {
  readonly ref: string;
  /** Undefined: the ref is to be deleted. */
  readonly to: RefValue | undefined;
}

export interface MovesParts {
  readonly git: LocalGit;
  /** What `list` answered from: git has decided by it what to send. */
  readonly listed: RefState | undefined;
  readonly options: { readonly atomic: boolean; readonly leases: ReadonlyMap<string, string | undefined> };
  /** The layout keeps each ref with its whole history, whatever else the remote has. */
  readonly selfContained?: boolean;
}

interface Wanted extends Move {
  readonly force: boolean;
  /** Of what the ref is to be, or comes to. */
  readonly type: string | undefined;
}

/**
 * The moves of one push, and which of them are refused and why, in the words by which git knows a refusal (git:
 * transport-helper.c, push_update_ref_status). Whatever the layout, it asks here; it is left with bringing objects and moving refs.
 */
export class Moves {
  /** By which the repository names its objects, or will. */
  readonly format: ObjectFormat;
  readonly #o: MovesParts;
  readonly #lines: readonly PushLine[];
  readonly #refused = new Map<string, string>();
  #wanted: readonly Wanted[] = [];
  #known: Promise<ReadonlyMap<string, string>> | undefined;
  /** Refs that would not go forward. */
  readonly #rewrites = new Set<string>();

  private constructor(lines: readonly PushLine[], format: ObjectFormat, o: MovesParts) {
    this.#lines = lines;
    this.format = format;
    this.#o = o;
  }

  /** Looks the sources up, and refuses what may not be made to what was listed. */
  static async check(lines: readonly PushLine[], o: MovesParts): Promise<Moves> {
    const moves = new Moves(lines, o.listed?.objectFormat ?? (await o.git.objectFormat()), o);
    [moves.#wanted] = await Promise.all([moves.#lookUp(), moves.#typesOfListed()]);
    await moves.#checkForward();
    await moves.#checkComplete();
    moves.allowed(o.listed);
    return moves;
  }

  /** Those that may still be made: none when the push is to be whole, and is not. */
  get going(): readonly Move[] {
    if (this.#o.options.atomic && this.#refused.size > 0) return [];
    return this.#wanted.filter(({ ref }) => !this.#refused.has(ref));
  }

  /** What git is told, in the order of the lines. */
  get results(): PushResult[] {
    const failed = this.#o.options.atomic && this.#refused.size > 0;
    return this.#lines.map(({ ref }) => {
      const refused = this.#refused.get(ref) ?? (failed ? "atomic push failed" : undefined);
      return refused === undefined ? { ref } : { ref, refused };
    });
  }

  /** The first reason stays. */
  refuse(ref: string, why: string): void {
    if (!this.#refused.has(ref)) this.#refused.set(ref, why);
  }

  /** Those that may be made to the repository as it is now, one after another; the others are refused. */
  allowed(now: RefState | undefined): readonly Move[] {
    const refs = new RefNames(now?.refs.keys());
    for (const move of this.going) {
      const reason = this.reasonAgainst(move, now, refs);
      if (reason !== undefined) this.refuse(move.ref, reason);
      else if (move.to === undefined) refs.delete(move.ref);
      else refs.add(move.ref);
    }
    return this.going;
  }

  /**
   * Why a move may not be made to the repository as it is now, which may be later than it was when git decided.
   * @param refs the names that are there, or will be by other moves of this push
   */
  reasonAgainst({ ref, to }: Move, now: RefState | undefined, refs: RefNames): string | undefined {
    const { listed, options } = this.#o;
    const current = now?.refs.get(ref)?.oid;
    if (options.leases.has(ref)) {
      if (current !== options.leases.get(ref)) return "stale info";
    } else if (current !== listed?.refs.get(ref)?.oid) return "fetch first";
    const rules = now?.rules ?? [];
    if (to === undefined) {
      if (isDenied(rules, ref, "delete")) return "protected against deletion";
      if (ref === now?.head && current !== undefined) return "refusing to delete the current branch";
      return undefined;
    }
    if (this.#rewrites.has(ref) && isDenied(rules, ref, "force")) return "protected against force";
    const other = current === undefined ? refs.inTheWayOf(ref) : undefined;
    return other === undefined ? undefined : `${other} is in the way: a ref cannot be below another`;
  }

  /** What the remote has of what is here. */
  async knownHere(): Promise<readonly string[]> {
    return [...(await this.#typesOfListed()).keys()];
  }

  /** For a repository that comes into being: the branch that is checked out here, if it is pushed. */
  async newHead(): Promise<string> {
    const branches = this.going.flatMap(({ ref, to }) => (to !== undefined && isBranch(ref) ? [ref] : []));
    const here = (await this.#o.git.tryRun(["symbolic-ref", "--quiet", "HEAD"])).stdout.trim();
    const usual = [here, "refs/heads/main", "refs/heads/master"].find((ref) => branches.includes(ref));
    return usual ?? branches[0] ?? (here === "" ? "refs/heads/main" : here);
  }

  #typesOfListed(): Promise<ReadonlyMap<string, string>> {
    const values = [...(this.#o.listed?.refs.values() ?? [])].map(({ oid }) => oid);
    this.#known ??= values.length === 0 ? Promise.resolve(new Map()) : this.#o.git.typesOf(new Set(values));
    return this.#known;
  }

  async #lookUp(): Promise<Wanted[]> {
    const { git } = this.#o;
    const isFormat = (await git.objectFormat()) === this.format;
    const named: (PushLine & { readonly source: string })[] = [];
    const wanted: Wanted[] = [];
    for (const { source, ref, force } of this.#lines) {
      if (!ref.isWellFormed() || source?.isWellFormed() === false)
        this.refuse(ref, "a name that is not in UTF-8 cannot be pushed");
      else if (!isRefName(ref)) this.refuse(ref, "not a valid name of a ref");
      else if (source === undefined) wanted.push({ ref, to: undefined, force, type: undefined });
      else if (isFormat) named.push({ source, ref, force });
      else this.refuse(ref, `the remote names its objects by ${this.format}`);
    }
    const objects = await objectsAt(
      git,
      named.map(({ source }) => source),
    );
    const tags = objects.flatMap((object) => (object?.type === "tag" ? [object.oid] : []));
    const peeled = await objectsAt(
      git,
      tags.map((oid) => `${oid}^{}`),
    );
    const peeledBy = new Map(tags.map((oid, index) => [oid, peeled[index]]));
    for (const [index, { ref, force }] of named.entries()) {
      const object = objects[index];
      if (object === undefined) {
        this.refuse(ref, "the source does not name an object");
        continue;
      }
      const { oid } = object;
      const target = peeledBy.get(oid);
      const to = target === undefined ? { oid } : { oid, peeled: target.oid };
      wanted.push({ ref, to, force, type: (target ?? object).type });
    }
    return wanted;
  }

  async #checkForward(): Promise<void> {
    const { git, listed, options } = this.#o;
    const changes = this.#wanted.flatMap(({ ref, to, force, type }) => {
      const from = listed?.refs.get(ref)?.oid;
      return to === undefined || from === undefined || from === to.oid ? [] : [{ ref, from, to, force, type }];
    });
    // Where nobody is to be told, nobody has to know: each question takes a process.
    const isAsked = (ref: string, force: boolean): boolean => !force || isDenied(listed?.rules ?? [], ref, "force");
    for (const { ref, force } of changes) if (!isAsked(ref, force)) this.#rewrites.add(ref);
    const asked = changes.filter(({ ref, force }) => isAsked(ref, force));
    if (asked.length === 0) return;
    const types = await this.#typesOfListed();
    // Many refs may move alike.
    const known = new Map<string, boolean>();
    const isAncestor = async (from: string, to: string): Promise<boolean> => {
      const isIt = known.get(`${from} ${to}`) ?? (await git.isAncestor(from, to));
      known.set(`${from} ${to}`, isIt);
      return isIt;
    };
    const isCommit = (type: string | undefined): boolean => type === "commit" || type === "tag";
    for (const { ref, from, to, force, type } of asked) {
      let why: string | undefined;
      if (!types.has(from)) why = "fetch first";
      else if (!isCommit(types.get(from)) || !isCommit(type)) why = "needs force";
      else if (!(await isAncestor(from, to.oid))) why = "non-fast forward";
      // A tag does not move, not even forward.
      if (ref.startsWith("refs/tags/")) why = "already exists";
      if (why !== undefined) this.#rewrites.add(ref);
      if (why !== undefined && !force && !options.leases.has(ref)) this.refuse(ref, why);
    }
  }

  /** A shallow or partial clone does not have everything. What it lacks, pushed, would be missing for everybody. */
  async #checkComplete(): Promise<void> {
    const { git, selfContained } = this.#o;
    const [cut, isPartial] = await Promise.all([git.shallowCommits(), git.isPartial()]);
    if (cut.size === 0 && !isPartial) return;
    const known = selfContained === true ? [] : (await this.knownHere()).map((oid) => `^${oid}`);
    for (const { ref, to } of this.going) {
      if (to === undefined) continue;
      const revisions = [to.oid, ...known];
      if (cut.size > 0) {
        const commits = (await git.run(["rev-list", "--stdin"], revisions)).split("\n");
        if (commits.some((commit) => cut.has(commit))) this.refuse(ref, "shallow update not allowed");
      }
      if (isPartial) {
        const missing = await git.run(["rev-list", "--objects", "--quiet", "--missing=print", "--stdin"], revisions);
        if (missing !== "") this.refuse(ref, "this partial clone lacks objects that the remote would need");
      }
    }
  }
}

function isBranch(ref: string): boolean {
  return ref.startsWith("refs/heads/");
}

/** What these names stand for, in their order; undefined for what is no name of an object that is here. */
async function objectsAt(
  git: LocalGit,
  names: readonly string[],
): Promise<({ readonly oid: string; readonly type: string } | undefined)[]> {
  if (names.length === 0) return [];
  const out = await git.run(["cat-file", "--batch-check=:%(objectname) %(objecttype)"], names);
  return out.split("\n").map((line) => {
    const [, oid, type] = /^:([0-9a-f]+) ([a-z]+)$/.exec(line) ?? [];
    return oid === undefined || type === undefined ? undefined : { oid, type };
  });
}
