import type { CompiledQuery, Kysely, Selectable } from "kysely";
import { MetadataError } from "./errors.ts";
import type { Lock, LockPage, LockQuery, Locks } from "./port.ts";
import { prepare } from "./prepare.ts";
import type { Schema } from "./schema.ts";
import { isStorable, requireStorable } from "./text.ts";

type Row = Selectable<Schema["locks"]>;

const MAX_PAGE = 1000;

export class SqlLocks implements Locks {
  readonly #db: Kysely<Schema>;
  readonly #insert: (values: Omit<Row, "id">) => CompiledQuery<Row>;
  readonly #byPath: (values: { repositoryId: number; path: string }) => CompiledQuery<Row>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
    this.#insert = prepare(({ repository_id, path, owner, locked_at }) =>
      db
        .insertInto("locks")
        .values({ repository_id, path, owner, locked_at })
        .onConflict((conflict) => conflict.columns(["repository_id", "path"]).doNothing())
        .returningAll(),
    );
    this.#byPath = prepare(({ repositoryId, path }) =>
      db.selectFrom("locks").selectAll().where("repository_id", "=", repositoryId).where("path", "=", path),
    );
  }

  async create(repositoryId: number, lock: { path: string; owner: string }): Promise<{ created: boolean; lock: Lock }> {
    const { path, owner } = lock;
    requireStorable(path, "the path to lock");
    requireStorable(owner, "the owner of a lock");
    for (;;) {
      const inserted = await this.#db.executeQuery(
        this.#insert({ repository_id: repositoryId, path, owner, locked_at: Date.now() }),
      );
      if (inserted.rows[0] !== undefined) return { created: true, lock: toLock(inserted.rows[0]) };
      const holder = await this.#db.executeQuery(this.#byPath({ repositoryId, path }));
      if (holder.rows[0] !== undefined) return { created: false, lock: toLock(holder.rows[0]) };
      // The holder let go between the two statements: the path may be free now.
    }
  }

  async find(repositoryId: number, id: string): Promise<Lock | undefined> {
    const number = parseLockId(id);
    if (number === undefined) return undefined;
    const row = await this.#db
      .selectFrom("locks")
      .selectAll()
      .where("id", "=", number)
      .where("repository_id", "=", repositoryId)
      .executeTakeFirst();
    return row && toLock(row);
  }

  async list(repositoryId: number, query: LockQuery): Promise<LockPage> {
    const { path, owner } = query;
    if (!Number.isInteger(query.limit) || query.limit < 1) {
      throw new MetadataError("invalid", `${query.limit} is not a number of locks to list: it is 1 or more`);
    }
    const before = query.cursor === undefined ? undefined : parseLockId(query.cursor);
    if (query.cursor !== undefined && before === undefined) {
      throw new MetadataError(
        "invalid",
        `${JSON.stringify(query.cursor)} is not a cursor of a list of locks: pass the next cursor of the page before`,
      );
    }
    const id = query.id === undefined ? undefined : parseLockId(query.id);
    const unknowable = query.id !== undefined && id === undefined;
    if (unknowable || !isStorable(path ?? "") || !isStorable(owner ?? "")) return { locks: [] };

    const limit = Math.min(query.limit, MAX_PAGE);
    let select = this.#db.selectFrom("locks").selectAll().where("repository_id", "=", repositoryId);
    if (path !== undefined) select = select.where("path", "=", path);
    if (owner !== undefined) select = select.where("owner", "=", owner);
    if (id !== undefined) select = select.where("id", "=", id);
    if (before !== undefined) select = select.where("id", "<", before);
    const rows = await select
      .orderBy("id", "desc")
      .limit(limit + 1)
      .execute();

    const locks = rows.slice(0, limit).map(toLock);
    const last = locks.at(-1);
    return rows.length > limit && last !== undefined ? { locks, nextCursor: last.id } : { locks };
  }

  async remove(repositoryId: number, id: string, o: { owner?: string } = {}): Promise<Lock | undefined> {
    const number = parseLockId(id);
    if (number === undefined || !isStorable(o.owner ?? "")) return undefined;
    let remove = this.#db.deleteFrom("locks").where("id", "=", number).where("repository_id", "=", repositoryId);
    if (o.owner !== undefined) remove = remove.where("owner", "=", o.owner);
    const row = await remove.returningAll().executeTakeFirst();
    return row && toLock(row);
  }
}

/** Undefined for any text that is not an id exactly as {@link toLock} writes it. */
function parseLockId(text: string): number | undefined {
  if (!/^[1-9][0-9]{0,15}$/.test(text)) return undefined;
  const id = Number(text);
  return Number.isSafeInteger(id) ? id : undefined;
}

function toLock(row: Row): Lock {
  return { id: String(row.id), path: row.path, owner: row.owner, lockedAt: new Date(row.locked_at) };
}
