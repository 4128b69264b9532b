import type { Oid } from "@holdall/lfs-protocol";
import { type CompiledQuery, Kysely, sql } from "kysely";
import type { Database, LinkedRows } from "../database.ts";
import { prepare } from "../prepare.ts";
import type { Schema } from "../schema.ts";
import { SplitSqliteDialect } from "./dialect.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export class SqliteDatabase implements Database {
  readonly db: Kysely<Schema>;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #linked: (values: {
    repositoryId: number;
    oids: string;
  }) => CompiledQuery<{ sizes: string; suspects: string }>;
  readonly #anyMigration: CompiledQuery;
  #closing: Promise<void> | undefined;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
    this.db = new Kysely<Schema>({ dialect: new SplitSqliteDialect(reader, writer) });
    // One text in and one text out: binding 100 values and making 100 rows cost more than finding them. A left join keeps
    // its left side as the outer loop, so the sizes come in the order of the oids.
    this.#linked = prepare(({ repositoryId, oids }) =>
      this.db
        .selectFrom(sql<{ value: string }>`json_each(${oids})`.as("wanted"))
        .leftJoin("links", (join) =>
          join.on("links.repository_id", "=", repositoryId).on("links.oid", "=", sql<Uint8Array>`unhex(wanted.value)`),
        )
        .select([
          sql<string>`json_group_array(links.size)`.as("sizes"),
          sql<string>`json_group_array(wanted.value) filter (where links.suspected_at is not null)`.as("suspects"),
        ]),
    );
    this.#anyMigration = this.db.selectFrom("schema_migrations").select("version").limit(1).compile();
  }

  async atomically<Rows extends readonly unknown[]>(statements: {
    readonly [I in keyof Rows]: CompiledQuery<Rows[I]>;
  }): Promise<{ readonly [I in keyof Rows]: readonly Rows[I][] }> {
    const list: readonly CompiledQuery[] = statements;
    const results = await this.#writer.write(list.map((query) => ({ sql: query.sql, parameters: query.parameters })));
    return results.map(({ rows }) => rows) as { [I in keyof Rows]: Rows[I][] };
  }

  async linked(repositoryId: number, oids: readonly Oid[]): Promise<LinkedRows> {
    const query = this.#linked({ repositoryId, oids: JSON.stringify(oids) });
    const { rows } = await this.db.executeQuery(query);
    const { sizes = "[]", suspects = "[]" } = rows[0] ?? {};
    return { sizes: JSON.parse(sizes) as (number | null)[], suspects: JSON.parse(suspects) as string[] };
  }

  async ping(): Promise<void> {
    this.#writer.check();
    await this.db.executeQuery(this.#anyMigration);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #close(): Promise<void> {
    // The last connection to close folds the log into the database; a read-only one could not.
    this.#reader.close();
    return this.#writer.close();
  }
}
