import type { CompiledQuery, Kysely, Selectable } from "kysely";
import { MetadataError } from "./errors.ts";
import { pages } from "./pages.ts";
import type { User, Users } from "./port.ts";
import { prepare } from "./prepare.ts";
import type { Schema } from "./schema.ts";
import { isStorable, requireStorable } from "./text.ts";

type Row = Selectable<Schema["users"]>;

export class SqlUsers implements Users {
  readonly #db: Kysely<Schema>;
  readonly #byName: (values: { name: string }) => CompiledQuery<Row>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
    this.#byName = prepare(({ name }) => db.selectFrom("users").selectAll().where("name", "=", name));
  }

  async find(name: string): Promise<User | undefined> {
    if (!isStorable(name)) return undefined;
    const { rows } = await this.#db.executeQuery(this.#byName({ name }));
    return rows[0] && toUser(rows[0]);
  }

  async add(user: { name: string; passwordHash?: string; admin: boolean }): Promise<User> {
    requireStorable(user.name, "the user name");
    if (user.passwordHash !== undefined) requireStorable(user.passwordHash, "the password hash");
    const row = await this.#db
      .insertInto("users")
      .values({
        name: user.name,
        password_hash: user.passwordHash ?? null,
        admin: user.admin ? 1 : 0,
        created_at: Date.now(),
      })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) {
      throw new MetadataError("conflict", `there is already a user ${JSON.stringify(user.name)}; choose another name`);
    }
    return toUser(row);
  }

  async remove(name: string): Promise<boolean> {
    if (!isStorable(name)) return false;
    // The tokens go with the user by their foreign key.
    const removed = await this.#db.deleteFrom("users").where("name", "=", name).returning("id").execute();
    return removed.length > 0;
  }

  async *list(): AsyncGenerator<User, void, undefined> {
    const rows = pages<Row>((last, limit) =>
      this.#db
        .selectFrom("users")
        .selectAll()
        .where("name", ">", last?.name ?? "")
        .orderBy("name")
        .limit(limit)
        .execute(),
    );
    for await (const row of rows) yield toUser(row);
  }
}

export function toUser(row: Row): User {
  return {
    id: row.id,
    name: row.name,
    ...(row.password_hash === null ? {} : { passwordHash: row.password_hash }),
    admin: row.admin === 1,
    createdAt: new Date(row.created_at),
  };
}
