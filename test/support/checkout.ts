import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { seededBytes } from "./content.ts";
import type { GitUser } from "./git-user.ts";
import { listing } from "./listing.ts";
import type { Finished } from "./run.ts";

/** A work tree of one user, and what the user does in it. */
export class Checkout {
  readonly folder: string;
  readonly #user: GitUser;

  constructor(user: GitUser, folder: string) {
    this.#user = user;
    this.folder = folder;
  }

  /** Runs git in the work tree. @throws Error with its output unless it exits with 0 */
  git(...args: readonly string[]): Promise<Finished> {
    return this.#user.git(args, { cwd: this.folder });
  }

  /** Runs git in the work tree, whatever its exit code. */
  tryGit(...args: readonly string[]): Promise<Finished> {
    return this.#user.tryGit(args, { cwd: this.folder });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: Uint8Array, o: { executable?: boolean } = {}): Promise<void> {
    const path = this.path(name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    if (o.executable === true) await chmod(path, 0o755);
  }

  /** Writes a file of `size` bytes that are the same for the same seed. */
  async writeSeeded(name: string, seed: number, size: number): Promise<void> {
    await this.write(name, seededBytes(seed, size));
  }

  async commitAll(message: string): Promise<void> {
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--message", message);
  }

  push(): Promise<Finished> {
    return this.git("push", "--quiet", "--set-upstream", "origin", "main");
  }

  tryPush(): Promise<Finished> {
    return this.tryGit("push", "origin", "main");
  }

  /** Where git-lfs keeps its own copy of an object. */
  localObject(oid: string): string {
    return this.path(`.git/lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`);
  }

  /** Every file of the work tree, as {@link listing} gives it. */
  files(): Promise<Record<string, string>> {
    return listing(this.folder);
  }

  /** The oids of all LFS files of the current commit, by path. */
  async oids(): Promise<ReadonlyMap<string, string>> {
    const { stdout } = await this.git("lfs", "ls-files", "--long");
    return new Map(
      stdout
        .split("\n")
        .filter((line) => line !== "")
        // <oid> SP * or - SP <path>
        .map((line) => [line.slice(67), line.slice(0, 64)]),
    );
  }
}
