import type { CompiledQuery, Kysely, Selectable, SelectQueryBuilder } from "kysely";
import type { Database } from "./database.ts";
import { MetadataError } from "./errors.ts";
import { pages } from "./pages.ts";
import type { Right, Token, Tokens, User } from "./port.ts";
import { prepare } from "./prepare.ts";
import type { Schema } from "./schema.ts";
import { isStorable, requireStorable } from "./text.ts";
import { toUser } from "./users.ts";

type TokenRow = Selectable<Schema["tokens"]>;
type UserRow = Selectable<Schema["users"]>;

/** A token with its user, whose columns would otherwise clash with the token's. */
type Row = TokenRow & {
  user_name: string;
  user_password_hash: string | null;
  user_admin: UserRow["admin"];
  user_created_at: number;
};

export class SqlTokens implements Tokens {
  readonly #database: Database;
  readonly #byHash: (values: { hash: Uint8Array }) => CompiledQuery<Row>;

  constructor(database: Database) {
    this.#database = database;
    this.#byHash = prepare(({ hash }) => withUser(database.db).where("tokens.hash", "=", hash));
  }

  async add(token: {
    id: string;
    hash: Uint8Array;
    user: string;
    right: Right;
    repositories: readonly string[];
    note?: string;
    expiresAt?: Date;
  }): Promise<Token> {
    const expiresAt = token.expiresAt?.getTime() ?? null;
    if (Number.isNaN(expiresAt)) throw new MetadataError("invalid", `the expiry of token ${token.id} is not a date`);
    requireStorable(token.id, "the token id");
    if (token.note !== undefined) requireStorable(token.note, "the note");
    for (const pattern of token.repositories) requireStorable(pattern, "the repository pattern");

    const { db } = this.#database;
    const user = db
      .selectFrom("users")
      .selectAll()
      .where("name", "=", isStorable(token.user) ? token.user : "");
    const insert = db
      .insertInto("tokens")
      .columns(["id", "hash", "user_id", "right", "repositories", "note", "created_at", "expires_at"])
      .expression(
        user.clearSelect().select((eb) => [
          eb.val(token.id).as("token_id"),
          // A view may be part of a large buffer, and all of that would be sent along to a thread.
          eb.val(Uint8Array.from(token.hash)).as("hash"),
          "users.id",
          eb.val(token.right).as("right"),
          eb.val(JSON.stringify(token.repositories)).as("repositories"),
          eb.val(token.note ?? null).as("note"),
          eb.val(Date.now()).as("created_at"),
          eb.val(expiresAt).as("expires_at"),
        ]),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returningAll();
    const [users, tokens] = await this.#database.atomically([user.compile(), insert.compile()]);
    if (users[0] === undefined) {
      throw new MetadataError("not-found", `there is no user ${JSON.stringify(token.user)}; add the user first`);
    }
    if (tokens[0] === undefined) {
      throw new MetadataError(
        "conflict",
        `there is already a token ${token.id}, or one of the same secret; make a new one`,
      );
    }
    return toToken(tokens[0], toUser(users[0]));
  }

  async findByHash(hash: Uint8Array): Promise<Token | undefined> {
    const { rows } = await this.#database.db.executeQuery(this.#byHash({ hash }));
    return rows[0] && toTokenWithUser(rows[0]);
  }

  async remove(id: string): Promise<boolean> {
    if (!isStorable(id)) return false;
    const removed = await this.#database.db.deleteFrom("tokens").where("id", "=", id).returning("id").execute();
    return removed.length > 0;
  }

  async *list(o: { user?: string } = {}): AsyncGenerator<Token, void, undefined> {
    const { user } = o;
    if (user !== undefined && !isStorable(user)) return;
    const rows = pages<Row>((last, limit) => {
      let query = withUser(this.#database.db);
      if (user !== undefined) query = query.where("users.name", "=", user);
      if (last !== undefined) query = query.where("tokens.sequence", "<", last.sequence);
      return query.orderBy("tokens.sequence", "desc").limit(limit).execute();
    });
    for await (const row of rows) yield toTokenWithUser(row);
  }
}

function withUser(db: Kysely<Schema>): SelectQueryBuilder<Schema, "tokens" | "users", Row> {
  return db
    .selectFrom("tokens")
    .innerJoin("users", "users.id", "tokens.user_id")
    .selectAll("tokens")
    .select([
      "users.name as user_name",
      "users.password_hash as user_password_hash",
      "users.admin as user_admin",
      "users.created_at as user_created_at",
    ]);
}

function toTokenWithUser(row: Row): Token {
  const user: UserRow = {
    id: row.user_id,
    name: row.user_name,
    password_hash: row.user_password_hash,
    admin: row.user_admin,
    created_at: row.user_created_at,
  };
  return toToken(row, toUser(user));
}

function toToken(row: TokenRow, user: User): Token {
  return {
    id: row.id,
    user,
    right: row.right,
    repositories: JSON.parse(row.repositories) as string[],
    ...(row.note === null ? {} : { note: row.note }),
    createdAt: new Date(row.created_at),
    ...(row.expires_at === null ? {} : { expiresAt: new Date(row.expires_at) }),
  };
}
