import { ANONYMOUS, includesRight, type Access, type Principal } from "@holdall/identity";
import type { RepositoryName } from "@holdall/lfs-protocol";
import type { Repositories, Repository, Right } from "@holdall/metadata";
import { LfsError } from "./errors.ts";
import type { OnLfsEvent } from "./events.ts";

const MAX_REMEMBERED = 10_000;

/**
 * Decides who gets to which repository. What it says gives nothing away: whoever may not read a repository hears the
 * same whether it exists or not, and without credentials always that credentials are wanted.
 */
export class Gate {
  readonly #access: Access;
  readonly #repositories: Repositories;
  readonly #mayCreate: boolean;
  readonly #onEvent: OnLfsEvent;
  /** Rules do not change while the server runs, and every download asks. */
  readonly #public = new Map<RepositoryName, boolean>();

  constructor(o: { access: Access; repositories: Repositories; createRepositories: boolean; onEvent: OnLfsEvent }) {
    this.#access = o.access;
    this.#repositories = o.repositories;
    this.#mayCreate = o.createRepositories;
    this.#onEvent = o.onEvent;
  }

  /** Whether anyone at all may read the repository. */
  isPublic(name: RepositoryName): boolean {
    let known = this.#public.get(name);
    if (known === undefined) {
      known = this.allows(ANONYMOUS, name, "read");
      if (this.#public.size >= MAX_REMEMBERED) this.#public.clear();
      this.#public.set(name, known);
    }
    return known;
  }

  /** Whether the principal has the right, or one above it. */
  allows(principal: Principal, name: RepositoryName, right: Right): boolean {
    return includesRight(this.#access.right(principal, name), right);
  }

  /** @throws LfsError `unauthenticated`, `forbidden` or `not-found` when the principal lacks the right */
  require(principal: Principal, name: RepositoryName, right: Right): void {
    if (this.allows(principal, name, right)) return;
    if (principal.kind === "anonymous") {
      throw new LfsError("unauthenticated", `sign in with a user name and a password or token to reach ${name}`);
    }
    if (!this.allows(principal, name, "read")) throw noRepository(name);
    const scoped = principal.scope === undefined ? "" : " with this token";
    throw new LfsError(
      "forbidden",
      `${principal.name} has no ${right} right to ${name}${scoped}: ask its administrator`,
    );
  }

  /** The repository, for whoever may read it. @throws LfsError as {@link require}, `not-found` when there is none */
  async toRead(principal: Principal, name: RepositoryName): Promise<Repository> {
    this.require(principal, name, "read");
    const repository = await this.#repositories.find(name);
    if (repository === undefined) throw noRepository(name);
    return repository;
  }

  /**
   * The repository, for whoever may write to it; undefined when it will come into being with the first write.
   * @throws LfsError as {@link require}, `not-found` when there is none and writing does not make one
   */
  async toWrite(principal: Principal, name: RepositoryName): Promise<Repository | undefined> {
    this.require(principal, name, "write");
    const repository = await this.#repositories.find(name);
    if (repository === undefined && !this.#mayCreate) throw noRepository(name);
    return repository;
  }

  /**
   * As {@link toWrite} for `locks/verify`, whose client takes a 404 for a server without locks, turns its lock checks off
   * and never asks again. So a repository that is not there is undefined, whatever writing would make, and users who may
   * not read hear that they may not write, the same whether it exists or not.
   * @throws LfsError `unauthenticated` or `forbidden`
   */
  async toCheckLocks(principal: Principal, name: RepositoryName): Promise<Repository | undefined> {
    if (principal.kind !== "anonymous" && !this.allows(principal, name, "read")) {
      throw new LfsError("forbidden", `there is no repository ${name}, or you may not write to it`);
    }
    this.require(principal, name, "write");
    return await this.#repositories.find(name);
  }

  /** The repository, whoever asks: for those who have been let in already. Undefined when there is none. */
  known(name: RepositoryName): Promise<Repository | undefined> {
    return this.#repositories.find(name);
  }

  /** The repository that a write goes to, made if need be. The caller has been let in to write. */
  async making(name: RepositoryName, o: { by: string; requestId: string }): Promise<Repository> {
    const repository = await this.#repositories.find(name);
    if (repository !== undefined) return repository;
    if (!this.#mayCreate) throw noRepository(name);
    const made = await this.#repositories.ensure(name);
    this.#onEvent({ ...o, type: "repository-created", repository: name });
    return made;
  }
}

function noRepository(name: RepositoryName): LfsError {
  return new LfsError("not-found", `there is no repository ${name}, or it is not yours to see`);
}
