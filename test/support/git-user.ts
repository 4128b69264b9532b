import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import { Checkout } from "./checkout.ts";
import { makeGitHome } from "./git-home.ts";
import { type Finished, run, runWell, type RunOptions } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

type GitOptions = Pick<RunOptions, "cwd" | "input" | "timeoutSeconds">;

/** Somebody at a machine of their own, with git and one git-lfs. */
export class GitUser {
  readonly name: string;
  readonly home: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  #checkouts = 0;

  private constructor(name: string, home: string, env: Readonly<NodeJS.ProcessEnv>) {
    this.name = name;
    this.home = home;
    this.env = env;
  }

  static async create(
    t: TestContext,
    name: string,
    gitLfs: FoundService,
    o: { readonly lfsInstall?: boolean } = {},
  ): Promise<GitUser> {
    const home = await temporaryFolder(t, name);
    return new GitUser(name, home, await makeGitHome(home, { name, gitLfs, ...o }));
  }

  /** Runs git. @throws Error with its output unless it exits with 0 */
  git(args: readonly string[], options: GitOptions = {}): Promise<Finished> {
    return runWell("git", args, { cwd: this.home, ...options, env: this.env });
  }

  /** Runs git, whatever its exit code. */
  tryGit(args: readonly string[], options: GitOptions = {}): Promise<Finished> {
    return run("git", args, { cwd: this.home, ...options, env: this.env });
  }

  /**
   * From now on git asks a credential helper that always gives these, even after they were refused, as helpers in CI
   * systems do.
   */
  async signIn(user: string, password: string): Promise<void> {
    const helper = join(this.home, "bin", "credentials");
    const answer = join(this.home, "credentials");
    await writeFile(answer, `username=${user}\npassword=${password}\n`);
    await writeFile(helper, `#!/bin/sh\n[ "$1" != get ] || cat '${answer}'\n`);
    await chmod(helper, 0o755);
    await this.git(["config", "--global", "--replace-all", "credential.helper", helper]);
  }

  /** From now on git keeps these in a file, as `credential.helper store` does: refused once, they are forgotten. */
  async storeCredentials(url: string, user: string, password: string): Promise<void> {
    await this.git(["config", "--global", "--replace-all", "credential.helper", "store"]);
    await this.git(["credential", "approve"], { input: `url=${url}\nusername=${user}\npassword=${password}\n` });
  }

  /** A new repository whose remote is `remote`, with `*.bin` tracked by LFS and nothing committed. */
  async init(remote: string): Promise<Checkout> {
    const folder = this.#nextFolder();
    await this.git(["init", "--quiet", folder]);
    const checkout = new Checkout(this, folder);
    await checkout.git("remote", "add", "origin", remote);
    await checkout.git("lfs", "track", "*.bin");
    return checkout;
  }

  /** {@link init} with the LFS server written into `.lfsconfig`, where clones find it. */
  async initWithLfs(remote: string, lfsUrl: string): Promise<Checkout> {
    const checkout = await this.init(remote);
    await checkout.git("config", "-f", ".lfsconfig", "lfs.url", lfsUrl);
    return checkout;
  }

  /** Clones, LFS files included. `settings` such as `lfs.url=…` go into the clone's configuration. */
  async clone(remote: string, settings: readonly string[] = []): Promise<Checkout> {
    const folder = this.#nextFolder();
    await this.git(["clone", "--quiet", ...settings.flatMap((setting) => ["-c", setting]), remote, folder]);
    return new Checkout(this, folder);
  }

  /** {@link clone} that may fail, with what git said. */
  async tryClone(remote: string, options: GitOptions = {}): Promise<Finished> {
    return this.tryGit(["clone", "--quiet", remote, this.#nextFolder()], options);
  }

  #nextFolder(): string {
    this.#checkouts += 1;
    return join(this.home, `checkout-${this.#checkouts}`);
  }
}

/** An empty bare repository on disk, for the part of a push that is not LFS. */
export async function bareRepository(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t, "remote"), "app.git");
  await runWell("git", ["init", "--quiet", "--bare", "--initial-branch=main", path]);
  return path;
}
