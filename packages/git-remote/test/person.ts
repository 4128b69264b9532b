import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { LocalGit } from "@holdall/git-store";
import type { ObjectStore } from "@holdall/object-store";
import { noOptions, type Options } from "../src/options.ts";
import { PacksRepository } from "../src/packs-repository.ts";
import type { PushResult } from "../src/repository.ts";

/** Of somebody whose settings are git's own. */
export const ENV: Readonly<NodeJS.ProcessEnv> = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  ...Object.fromEntries(
    ["AUTHOR", "COMMITTER"].flatMap((role) => [
      [`GIT_${role}_NAME`, "Ada"],
      [`GIT_${role}_EMAIL`, "ada@example.org"],
    ]),
  ),
};

/** Somebody with a repository and no helper in between. */
export class Person {
  readonly folder: string;
  #count = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(t: TestContext, format = "sha1"): Promise<Person> {
    const folder = await mkdtemp(join(tmpdir(), "holdall-push-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const person = new Person(folder);
    person.run(["init", "--quiet", "--bare", `--object-format=${format}`, "--initial-branch=main"]);
    return person;
  }

  run(args: readonly string[], input = ""): string {
    return execFileSync("git", ["--git-dir", this.folder, ...args], { encoding: "utf8", env: ENV, input }).trim();
  }

  get local(): LocalGit {
    return new LocalGit(this.folder);
  }

  commit(parent?: string): string {
    this.#count += 1;
    const parents = parent === undefined ? [] : ["-p", parent];
    return this.run(["commit-tree", this.run(["mktree"]), ...parents, "-m", `${this.#count} in ${this.folder}`]);
  }

  /** Looked at. */
  async repository(store: ObjectStore, o: { readonly dropsNothing?: boolean } = {}): Promise<PacksRepository> {
    const parts = { store, git: this.local, url: "memory", singleWriter: false, draw: undefined };
    const repository = new PacksRepository({ ...parts, dropsNothing: false, ...o });
    await repository.list();
    return repository;
  }

  /** The files of packs that are here. */
  async packs(ending = ".idx"): Promise<readonly string[]> {
    return (await readdir(join(this.folder, "objects/pack"))).filter((name) => name.endsWith(ending)).toSorted();
  }

  async push(
    store: ObjectStore,
    refs: Readonly<Record<string, string | undefined>>,
    o: Partial<Options> = {},
  ): Promise<readonly PushResult[]> {
    const repository = await this.repository(store);
    const lines = Object.entries(refs).map(([ref, source]) => ({ ref: `refs/heads/${ref}`, source, force: false }));
    return await repository.push(lines, { ...noOptions(), ...o });
  }
}
