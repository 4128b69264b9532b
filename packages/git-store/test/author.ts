import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ObjectFormat } from "@holdall/git-protocol";
import type { ObjectStore } from "@holdall/object-store";
import {
  entryOf,
  GitStore,
  LocalGit,
  Packs,
  type Draft,
  type Kept,
  type Manifest,
  type RefUpdate,
  type RefValue,
} from "../src/index.ts";
import { TemporaryRepository } from "../src/temporary-repository.ts";

const ENV = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
};

/** For tests: somebody with a repository who makes objects, and moves refs of repositories in stores to them. */
export class Author {
  readonly local: LocalGit;
  readonly #folder: string;
  readonly #format: ObjectFormat;
  #count = 0;

  private constructor(folder: string, format: ObjectFormat) {
    this.#folder = folder;
    this.#format = format;
    this.local = new LocalGit(folder);
  }

  static async create(t: Pick<TestContext, "after">, format: ObjectFormat = "sha1"): Promise<Author> {
    const folder = await mkdtemp(join(tmpdir(), "holdall-author-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const author = new Author(folder, format);
    author.git("init", "--quiet", "--bare", `--object-format=${format}`);
    return author;
  }

  git(...args: readonly string[]): string {
    return execFileSync("git", ["--git-dir", this.#folder, ...args], { encoding: "utf8", env: ENV }).trim();
  }

  /** @returns a commit like no other */
  commit(parent?: string): RefValue {
    this.#count += 1;
    const blob = this.#write("blob", `${"some text\n".repeat(20)}${this.#count}\n`);
    const tree = execFileSync("git", ["--git-dir", this.#folder, "mktree"], {
      encoding: "utf8",
      input: `100644 blob ${blob}\tfile\n`,
    }).trim();
    const parents = parent === undefined ? [] : ["-p", parent];
    return { oid: this.git("commit-tree", tree, ...parents, "-m", `commit ${this.#count}`) };
  }

  /** @returns an annotated tag like no other */
  tag(commit: string): RefValue {
    this.#count += 1;
    const text = `object ${commit}\ntype commit\ntag v${this.#count}\ntagger Ada <ada@example.org> 0 +0000\n\nA tag\n`;
    return { oid: this.#write("tag", text), peeled: commit };
  }

  /**
   * Moves refs, whatever they are; undefined deletes one. The store has what it needs before.
   * @param beforeCommit runs when that is so
   */
  async push(
    { git, store }: Kept,
    moves: Readonly<Record<string, RefValue | undefined>>,
    beforeCommit: () => Promise<void> = async () => undefined,
  ): Promise<Manifest> {
    const listed = await git.read();
    const out = await mkdtemp(join(this.#folder, "out-"));
    const wants = Object.values(moves).flatMap((value) => value?.oid ?? []);
    const values = [...(listed?.manifest.refs.values() ?? [])].map(({ oid }) => oid);
    const haves = (await this.local.typesOf(values)).keys();
    const files = wants.length === 0 ? undefined : await this.local.makePack(out, { wants, haves });
    const pack = files && entryOf(files);
    const make = (now: Manifest | undefined): Draft => {
      if (pack !== undefined && now?.deleting.includes(pack.name) === true) throw new Error("push again");
      const refs = new Map(now?.refs);
      const updates: RefUpdate[] = [];
      for (const [ref, value] of Object.entries(moves)) {
        const from = refs.get(ref)?.oid;
        if (from !== listed?.manifest.refs.get(ref)?.oid) throw new Error("fetch first");
        if (value === undefined) refs.delete(ref);
        else refs.set(ref, value);
        updates.push({ ref, ...(from === undefined ? {} : { from }), ...(value && { to: value.oid }) });
      }
      const others = (now?.packs ?? []).filter(({ name }) => name !== pack?.name);
      return {
        next: {
          objectFormat: this.#format,
          head: now?.head ?? "refs/heads/main",
          refs,
          packs: pack === undefined ? others : [...others, pack],
          retired: (now?.retired ?? []).filter(({ name }) => name !== pack?.name),
          deleting: now?.deleting ?? [],
          rules: now?.rules ?? [],
        },
        updates,
      };
    };
    const after = await git.commit({ log: { what: "push", by: "Ada <ada@example.org>" }, make }, listed, async () => {
      if (files !== undefined) await new Packs(store).put(files);
      await beforeCommit();
    });
    await rm(out, { recursive: true });
    if (after === undefined) throw new Error("nothing was pushed");
    return after.manifest;
  }

  #write(type: string, text: string): string {
    const args = ["--git-dir", this.#folder, "hash-object", "-w", "-t", type, "--stdin"];
    return execFileSync("git", args, { encoding: "utf8", input: text }).trim();
  }
}

/** What a repository is that has nothing yet. */
export const EMPTY = {
  objectFormat: "sha1",
  head: "refs/heads/main",
  refs: new Map(),
  packs: [],
  retired: [],
  deleting: [],
  rules: [],
  log: [],
} as const;

/** A first state, otherwise as it is said. */
export const state = (o: Partial<Manifest>): Manifest => ({
  ...EMPTY,
  generation: 1,
  transaction: "a".repeat(36),
  parent: undefined,
  at: new Date(),
  ...o,
});

/** A repository in a store, which others change at the same time without waiting for each other. */
export function kept(store: ObjectStore): Kept {
  return { store, git: new GitStore(store, { attempts: 200, pause: () => 0 }) };
}

export async function manifestOf({ git }: Kept): Promise<Manifest> {
  const now = await git.read();
  if (now === undefined) throw new Error("there is no repository");
  return now.manifest;
}

/** The refs of which something is missing in the packs that the manifest names. None in a repository that is whole. */
export async function broken({ git, store }: Kept): Promise<readonly string[]> {
  const { objectFormat, packs, refs } = await manifestOf({ git, store });
  await using repository = await TemporaryRepository.create(store, objectFormat);
  await repository.fetch(packs);
  const whole = new Set(await repository.complete([...refs.values()].map(({ oid }) => oid)));
  return [...refs].flatMap(([ref, { oid }]) => (whole.has(oid) ? [] : [ref]));
}
