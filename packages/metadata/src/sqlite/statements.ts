import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Result, Statement } from "./messages.ts";

interface Prepared {
  readonly statement: StatementSync;
  readonly answersWithRows: boolean;
}

/**
 * The prepared statements of one connection. SQL text never holds values, so there are as many as the program has
 * queries, and none needs to be dropped.
 */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  run({ sql, parameters }: Statement): Result {
    const { statement, answersWithRows } = this.#prepared.get(sql) ?? this.#prepare(sql);
    // `node:sqlite` refuses what it cannot bind, but takes an object in the first place for named values.
    const values = parameters as readonly SQLInputValue[];
    if (typeof values[0] === "object" && values[0] !== null && !ArrayBuffer.isView(values[0])) {
      throw new TypeError("an object cannot be bound to an SQLite parameter");
    }
    if (answersWithRows) return { rows: statement.all(...values), changes: undefined };
    return { rows: [], changes: Number(statement.run(...values).changes) };
  }

  #prepare(sql: string): Prepared {
    const statement = this.#database.prepare(sql);
    const prepared: Prepared = { statement, answersWithRows: statement.columns().length > 0 };
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}
