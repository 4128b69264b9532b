import type { Principal } from "@holdall/identity";
import type { RepositoryName } from "@holdall/lfs-protocol";
import type { Lock, LockPage, Locks as LockTable } from "@holdall/metadata";
import { LfsError } from "./errors.ts";
import type { OnLfsEvent } from "./events.ts";
import type { Gate } from "./gate.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;
/**
 * No system of the day opens a longer one. A lock is looked up by a URL that has its path in it, percent-encoded, so three
 * bytes for each: the default limit on URLs leaves room for that.
 */
const MAX_PATH_BYTES = 4096;

export interface LockFilter {
  readonly path?: string;
  readonly id?: string;
  readonly cursor?: string;
  /** The most that the caller wants; 0 and undefined leave it to us. */
  readonly limit?: number;
}

export interface SortedLocks {
  readonly ours: readonly Lock[];
  readonly theirs: readonly Lock[];
  readonly nextCursor?: string;
}

/** Locks on paths (git-lfs: docs/api/locking.md). A lock is on the path in the whole repository, whatever ref is named. */
export class LockService {
  readonly #gate: Gate;
  readonly #locks: LockTable;
  readonly #onEvent: OnLfsEvent;

  constructor(o: { gate: Gate; locks: LockTable; onEvent: OnLfsEvent }) {
    this.#gate = o.gate;
    this.#locks = o.locks;
    this.#onEvent = o.onEvent;
  }

  /** @throws LfsError `locked`, with the holder's lock, when there is one on the path already, even one's own */
  async create(
    principal: Principal,
    name: RepositoryName,
    path: string,
    { requestId }: { requestId: string },
  ): Promise<Lock> {
    const found = await this.#gate.toWrite(principal, name);
    checkPath(path);
    const repository = found ?? (await this.#gate.making(name, { by: principal.name, requestId }));
    const { created, lock } = await this.#locks.create(repository.id, { path, owner: principal.name });
    if (!created) throw new LfsError("locked", `${path} is already locked by ${lock.owner}`, { lock });
    return lock;
  }

  /** Nothing found is an empty page. */
  async list(principal: Principal, name: RepositoryName, filter: LockFilter): Promise<LockPage> {
    const { id } = await this.#gate.toRead(principal, name);
    return await this.#locks.list(id, query(filter));
  }

  /**
   * What a client asks before it pushes. Whoever may write may ask, whether the repository exists or not.
   * @throws LfsError `unauthenticated` or `forbidden`, and never `not-found`
   */
  async verify(
    principal: Principal,
    name: RepositoryName,
    filter: Pick<LockFilter, "cursor" | "limit">,
  ): Promise<SortedLocks> {
    const repository = await this.#gate.toCheckLocks(principal, name);
    if (repository === undefined) return { ours: [], theirs: [] };
    const page = await this.#locks.list(repository.id, query(filter));
    const ours = page.locks.filter(({ owner }) => owner === principal.name);
    const theirs = page.locks.filter(({ owner }) => owner !== principal.name);
    return { ours, theirs, ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }) };
  }

  /**
   * @param o.force to take away another's lock; needs the admin right
   * @throws LfsError `not-found` when this repository has no such lock, `lock-held` when it is another's, `forbidden`
   *   when force is used without the right
   */
  async unlock(
    principal: Principal,
    name: RepositoryName,
    id: string,
    { force, requestId }: { force: boolean; requestId: string },
  ): Promise<Lock> {
    const repository = await this.#gate.toWrite(principal, name);
    const lock = repository === undefined ? undefined : await this.#locks.find(repository.id, id);
    if (repository === undefined || lock === undefined) throw noLock(name, id);
    const own = lock.owner === principal.name;
    if (!own && !force) {
      throw new LfsError(
        "lock-held",
        `${lock.path} is locked by ${lock.owner}: ask them, or let an administrator use force`,
      );
    }
    if (!own) this.#gate.require(principal, name, "admin");

    const removed = await this.#locks.remove(repository.id, id, own ? { owner: principal.name } : {});
    if (removed === undefined) throw noLock(name, id);
    if (!own) {
      this.#onEvent({
        requestId,
        type: "lock-forced",
        repository: name,
        path: removed.path,
        id,
        owner: removed.owner,
        by: principal.name,
      });
    }
    return removed;
  }
}

function query({ path, id, cursor, limit }: LockFilter): Parameters<LockTable["list"]>[1] {
  return {
    ...(path ? { path } : {}),
    ...(id ? { id } : {}),
    ...(cursor ? { cursor } : {}),
    limit: Math.min(limit || DEFAULT_PAGE, LARGEST_PAGE),
  };
}

function checkPath(path: string): void {
  const wrong =
    path === "" ||
    Buffer.byteLength(path) > MAX_PATH_BYTES ||
    !path.isWellFormed() ||
    // A line break cannot be said in the SSH protocol, and NUL in no file system.
    /[\0\n\r]/.test(path) ||
    path.split("/").some((segment) => segment === "" || segment === "." || segment === "..");
  if (wrong) {
    const shown = JSON.stringify(path.slice(0, 100));
    throw new LfsError(
      "invalid",
      `${shown} cannot be locked: give the path of a file, relative to the repository's root`,
    );
  }
}

function noLock(name: RepositoryName, id: string): LfsError {
  return new LfsError("not-found", `${name} has no lock ${id.slice(0, 40)}`);
}
