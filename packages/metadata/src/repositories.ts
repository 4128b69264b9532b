import type { RepositoryName } from "@holdall/lfs-protocol";
import type { CompiledQuery, Kysely, Selectable } from "kysely";
import { pages } from "./pages.ts";
import type { Repositories, Repository, RepositoryUsage } from "./port.ts";
import { prepare } from "./prepare.ts";
import type { Schema } from "./schema.ts";

type Row = Selectable<Schema["repositories"]>;

export class SqlRepositories implements Repositories {
  readonly #db: Kysely<Schema>;
  readonly #byName: (values: { name: string }) => CompiledQuery<Row>;
  readonly #insert: (values: { name: string; now: number }) => CompiledQuery<Row>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
    this.#byName = prepare(({ name }) => db.selectFrom("repositories").selectAll().where("name", "=", name));
    this.#insert = prepare(({ name, now }) =>
      db
        .insertInto("repositories")
        .values({ name, created_at: now })
        .onConflict((conflict) => conflict.column("name").doNothing())
        .returningAll(),
    );
  }

  async find(name: RepositoryName): Promise<Repository | undefined> {
    const { rows } = await this.#db.executeQuery(this.#byName({ name }));
    return rows[0] && toRepository(rows[0]);
  }

  async ensure(name: RepositoryName): Promise<Repository> {
    for (;;) {
      const known = await this.find(name);
      if (known !== undefined) return known;
      const { rows } = await this.#db.executeQuery(this.#insert({ name, now: Date.now() }));
      if (rows[0] !== undefined) return toRepository(rows[0]);
      // Another process was first: its row is there to be found now.
    }
  }

  async *list(): AsyncGenerator<Repository, void, undefined> {
    const rows = pages<Row>((last, limit) =>
      this.#db
        .selectFrom("repositories")
        .selectAll()
        .where("name", ">", last?.name ?? "")
        .orderBy("name")
        .limit(limit)
        .execute(),
    );
    for await (const row of rows) yield toRepository(row);
  }

  async usage(name: RepositoryName): Promise<RepositoryUsage | undefined> {
    const repository = await this.find(name);
    if (repository === undefined) return undefined;
    const { objects, bytes } = await this.#db
      .selectFrom("links")
      .select(({ fn }) => [fn.countAll<number>().as("objects"), fn.sum<number | null>("size").as("bytes")])
      .where("repository_id", "=", repository.id)
      .executeTakeFirstOrThrow();
    const { locks } = await this.#db
      .selectFrom("locks")
      .select(({ fn }) => fn.countAll<number>().as("locks"))
      .where("repository_id", "=", repository.id)
      .executeTakeFirstOrThrow();
    return { ...repository, objects, bytes: bytes ?? 0, locks };
  }
}

function toRepository(row: Row): Repository {
  // Only names that `parseRepositoryName` made come in, so only such come out.
  return { id: row.id, name: row.name as RepositoryName, createdAt: new Date(row.created_at) };
}
