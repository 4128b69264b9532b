import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isRefName, refInTheWay, type ObjectFormat } from "@holdall/git-protocol";
import {
  entryOf,
  type Draft,
  type GitStore,
  type LocalGit,
  type Manifest,
  type PackEntry,
  type Packs,
  type RefValue,
  type Snapshot,
} from "@holdall/git-store";
import type { Installed } from "./installed.ts";
import { isDenied } from "./rules.ts";

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

export interface PushParts {
  readonly git: LocalGit;
  readonly store: GitStore;
  readonly packs: Packs;
  readonly installed: Installed;
  /** What `list` answered from: git has decided by it what to send. */
  readonly listed: Snapshot | undefined;
  readonly atomic: boolean;
  readonly dryRun: boolean;
  readonly leases: ReadonlyMap<string, string | undefined>;
  readonly options: readonly string[];
}

/** A line whose source was looked up. */
interface Move {
  readonly ref: string;
  readonly to: RefValue | undefined;
  readonly force: boolean;
}

/** Moves refs, all that may be moved, in one change. */
export async function pushRefs(lines: readonly PushLine[], parts: PushParts): Promise<PushResult[]> {
  return await new Push(parts).run(lines);
}

class Push {
  readonly #o: PushParts;
  readonly #refused = new Map<string, string>();

  constructor(o: PushParts) {
    this.#o = o;
  }

  async run(lines: readonly PushLine[]): Promise<PushResult[]> {
    const { git, listed, dryRun } = this.#o;
    const format = listed?.manifest.objectFormat ?? (await git.objectFormat());
    const moves: Move[] = [];
    for (const line of lines) {
      const to = await this.#valueOf(line, format);
      if (to === "refused") continue;
      moves.push({ ref: line.ref, to, force: line.force });
    }
    await this.#checkHistory(moves);
    if (this.#mayGoOn(moves) && !dryRun) await this.#commit(moves, format);
    const failed = this.#o.atomic && this.#refused.size > 0;
    return lines.map(({ ref }) => {
      const refused = this.#refused.get(ref) ?? (failed ? "atomic push failed" : undefined);
      return refused === undefined ? { ref } : { ref, refused };
    });
  }

  async #valueOf({ source, ref }: PushLine, format: ObjectFormat): Promise<RefValue | undefined | "refused"> {
    if (!isRefName(ref)) return this.#refuse(ref, "not a valid name of a ref");
    if (source === undefined) return undefined;
    const { git } = this.#o;
    const { code, stdout } = await git.tryRun(["rev-parse", "--verify", "--quiet", "--end-of-options", source]);
    if (code !== 0) return this.#refuse(ref, "the source does not name an object");
    if ((await git.objectFormat()) !== format) return this.#refuse(ref, `the remote names its objects by ${format}`);
    const oid = stdout.trim();
    const isTag = (await git.typesOf([oid])).get(oid) === "tag";
    return isTag ? { oid, peeled: (await git.run(["rev-parse", "--verify", `${oid}^{}`])).trim() } : { oid };
  }

  /** What depends on the local history, which no retry changes: whether a move is a fast-forward, and leaves nothing out. */
  async #checkHistory(moves: readonly Move[]): Promise<void> {
    const { listed, leases } = this.#o;
    const refs = listed?.manifest.refs;
    for (const { ref, to, force } of moves) {
      const from = refs?.get(ref)?.oid;
      if (to === undefined || from === undefined || from === to.oid) continue;
      const forced = force || leases.has(ref);
      const forward = await this.#isForward(ref, from, to.oid);
      if (forward === "forward") continue;
      if (listed !== undefined && isDenied(listed.manifest.rules, ref, "force"))
        this.#refuse(ref, "protected against force");
      else if (!forced) this.#refuse(ref, forward);
    }
    await this.#checkShallow(
      moves.flatMap(({ ref, to }) => (to === undefined || this.#refused.has(ref) ? [] : [to.oid])),
      moves,
    );
  }

  async #isForward(
    ref: string,
    from: string,
    to: string,
  ): Promise<"forward" | "fetch first" | "non-fast forward" | "already exists"> {
    const { git } = this.#o;
    const types = await git.typesOf([from, to]);
    if (!types.has(from)) return "fetch first";
    if (ref.startsWith("refs/tags/")) return "already exists";
    if (types.get(from) !== "commit" || types.get(to) !== "commit") return "non-fast forward";
    return (await git.isAncestor(from, to)) ? "forward" : "non-fast forward";
  }

  /** A shallow clone has commits whose parents it does not have: pushed, they would be missing for everybody. */
  async #checkShallow(wants: readonly string[], moves: readonly Move[]): Promise<void> {
    const { git } = this.#o;
    if (wants.length === 0) return;
    if ((await git.run(["rev-parse", "--is-shallow-repository"])).trim() !== "true") return;
    const path = (await git.run(["rev-parse", "--path-format=absolute", "--git-path", "shallow"])).trim();
    const cut = new Set((await readFile(path, "utf8")).split("\n"));
    const going = await git.run(["rev-list", ...wants, "--not", ...(await this.#knownHere())]);
    if (!going.split("\n").some((commit) => commit !== "" && cut.has(commit))) return;
    for (const { ref, to } of moves) if (to !== undefined) this.#refuse(ref, "shallow update not allowed");
  }

  /** What the remote has of what is here. */
  async #knownHere(): Promise<string[]> {
    const { git, listed } = this.#o;
    const values = [...(listed?.manifest.refs.values() ?? [])].map(({ oid }) => oid);
    return values.length === 0 ? [] : [...(await git.typesOf(new Set(values))).keys()];
  }

  async #commit(moves: readonly Move[], format: ObjectFormat): Promise<void> {
    const { git, store, packs, installed, listed, options } = this.#o;
    const going = moves.filter(({ ref }) => !this.#refused.has(ref));
    const folder = await mkdtemp(join(await temporaryFolder(git), "push-"));
    try {
      const wants = going.flatMap(({ to }) => to?.oid ?? []);
      const files =
        wants.length === 0 ? undefined : await git.makePack(folder, { wants, haves: await this.#knownHere() });
      const branch = await this.#newHead(going);
      const pack = files && entryOf(files);
      const bring = async (): Promise<void> => {
        if (files !== undefined) await packs.put(files);
      };
      const by = (await git.tryRun(["var", "GIT_COMMITTER_IDENT"])).stdout.replace(/ \d+ [+-]\d+\s*$/, "");
      const log = { what: "push", by, ...(options.length === 0 ? {} : { options }) } as const;
      const change = { log, make: (now: Manifest | undefined) => this.#draft(now, going, { format, branch, pack }) };
      const after = await store.commit(change, listed, bring);
      if (after === undefined || pack === undefined) return;
      // What is in it came from here.
      const current = after.manifest.packs.map(({ name }) => name);
      await installed.add([pack.name], current);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The state after the moves that may still be made. Undefined: none. */
  #draft(
    now: Manifest | undefined,
    moves: readonly Move[],
    o: { format: ObjectFormat; branch: string; pack: PackEntry | undefined },
  ): Draft | undefined {
    const refs = new Map(now?.refs);
    const updates: { ref: string; from?: string; to?: string }[] = [];
    for (const move of moves) {
      const reason = this.#reasonAgainst(move, now, refs);
      if (reason !== undefined) {
        this.#refuse(move.ref, reason);
        continue;
      }
      const { ref, to } = move;
      const from = refs.get(ref)?.oid;
      if (to === undefined) refs.delete(ref);
      else refs.set(ref, to);
      if (from !== to?.oid) updates.push({ ref, ...(from === undefined ? {} : { from }), ...(to && { to: to.oid }) });
    }
    if (updates.length === 0 || !this.#mayGoOn(moves)) return undefined;
    const packs = now?.packs ?? [];
    if (now?.deleting.includes(o.pack?.name ?? "") === true) {
      for (const { ref } of updates) this.#refuse(ref, "the pack is just being removed by maintenance: push again");
      return undefined;
    }
    const isNew = o.pack !== undefined && !packs.some(({ name }) => name === o.pack?.name);
    return {
      next: {
        objectFormat: now?.objectFormat ?? o.format,
        head: now?.head ?? o.branch,
        refs,
        packs: isNew && o.pack !== undefined ? [...packs, o.pack] : packs,
        retired: (now?.retired ?? []).filter(({ name }) => name !== o.pack?.name),
        deleting: now?.deleting ?? [],
        rules: now?.rules ?? [],
      },
      updates,
    };
  }

  #reasonAgainst(
    { ref, to }: Move,
    now: Manifest | undefined,
    refs: ReadonlyMap<string, RefValue>,
  ): string | undefined {
    const { leases, listed } = this.#o;
    const current = now?.refs.get(ref)?.oid;
    if (leases.has(ref)) {
      if (current !== leases.get(ref)) return "stale info";
    } else if (current !== listed?.manifest.refs.get(ref)?.oid) return "fetch first";
    if (to === undefined) {
      if (isDenied(now?.rules ?? [], ref, "delete")) return "protected against deletion";
      if (ref === now?.head && current !== undefined) return "refusing to delete the current branch";
      return undefined;
    }
    const other = current === undefined ? refInTheWay(ref, refs.keys()) : undefined;
    return other === undefined ? undefined : `${other} is in the way: a ref cannot be below another`;
  }

  /** For a repository that comes into being: the branch that is checked out here, if it is pushed. */
  async #newHead(moves: readonly Move[]): Promise<string> {
    const branches = moves.flatMap(({ ref, to }) => (to !== undefined && ref.startsWith("refs/heads/") ? [ref] : []));
    const here = (await this.#o.git.tryRun(["symbolic-ref", "--quiet", "HEAD"])).stdout.trim();
    const usual = [here, "refs/heads/main", "refs/heads/master"].find((ref) => branches.includes(ref));
    return usual ?? branches[0] ?? (here === "" ? "refs/heads/main" : here);
  }

  #mayGoOn(moves: readonly Move[]): boolean {
    if (this.#o.atomic && this.#refused.size > 0) return false;
    return moves.some(({ ref }) => !this.#refused.has(ref));
  }

  #refuse(ref: string, why: string): "refused" {
    if (!this.#refused.has(ref)) this.#refused.set(ref, why);
    return "refused";
  }
}

async function temporaryFolder(git: LocalGit): Promise<string> {
  return (await git.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"])).trim();
}
