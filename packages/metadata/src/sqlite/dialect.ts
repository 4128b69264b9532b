import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  DialectAdapterBase,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SelectQueryNode,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Result } from "./messages.ts";
import type { Reader } from "./reader.ts";
import type { WriteTransaction, Writer } from "./writer.ts";

/** Kysely over one {@link Reader} and one {@link Writer}: selects outside of a transaction read, all else writes. */
export class SplitSqliteDialect implements Dialect {
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  createDriver(): Driver {
    return new SplitSqliteDriver(this.#reader, this.#writer);
  }

  createAdapter(): SplitSqliteAdapter {
    return new SplitSqliteAdapter();
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  // Kysely's own signature.
  // oxlint-disable-next-line typescript/no-explicit-any
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

class SplitSqliteAdapter extends DialectAdapterBase {
  override get supportsReturning(): boolean {
    return true;
  }

  override get supportsTransactionalDdl(): boolean {
    return true;
  }

  // For Kysely's own migrator, which takes no lock here: `migrate.ts` runs its steps in a write transaction instead.
  override async acquireMigrationLock(): Promise<void> {}

  override async releaseMigrationLock(): Promise<void> {}
}

class SplitSqliteDriver implements Driver {
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async init(): Promise<void> {}

  /** Free: reader and writer are shared, and order their users themselves. */
  async acquireConnection(): Promise<SplitSqliteConnection> {
    return new SplitSqliteConnection(this.#reader, this.#writer);
  }

  async beginTransaction(connection: SplitSqliteConnection): Promise<void> {
    connection.transaction = await this.#writer.begin();
  }

  async commitTransaction(connection: SplitSqliteConnection): Promise<void> {
    await connection.transaction?.commit();
    connection.transaction = undefined;
  }

  async rollbackTransaction(connection: SplitSqliteConnection): Promise<void> {
    await connection.transaction?.rollback();
    connection.transaction = undefined;
  }

  async releaseConnection(): Promise<void> {}

  /** Reader and writer came from outside, and whoever opened them closes them. */
  async destroy(): Promise<void> {}
}

class SplitSqliteConnection implements DatabaseConnection {
  readonly #reader: Reader;
  readonly #writer: Writer;
  transaction: WriteTransaction | undefined;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { sql, parameters } = query;
    if (this.transaction !== undefined) {
      const [result] = await this.transaction.execute({ sql, parameters });
      return toQueryResult(result);
    }
    if (SelectQueryNode.is(query.query)) return toQueryResult(await this.#reader.read({ sql, parameters }));
    const [result] = await this.#writer.write([{ sql, parameters }]);
    return toQueryResult(result);
  }

  streamQuery(): never {
    throw new Error("a stream would keep the reader at an old state of the database; read pages instead");
  }
}

function toQueryResult<Row>(result: Result | undefined): QueryResult<Row> {
  return {
    rows: (result?.rows ?? []) as Row[],
    ...(result?.changes === undefined ? {} : { numAffectedRows: BigInt(result.changes) }),
  };
}
