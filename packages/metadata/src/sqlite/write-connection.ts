import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { isBusy, toFailure, type SqliteFailure } from "./errors.ts";
import type { Outcome, Request, Result, Statement } from "./messages.ts";
import { Statements } from "./statements.ts";

/**
 * The connection that writes, blocking: it lives in a thread of its own. Opened by the first request, so that a failure
 * to open is that request's answer, and the next one tries again.
 */
export class WriteConnection {
  readonly #file: string;
  readonly #busyLimit: number;
  #open: { database: DatabaseSync; statements: Statements } | undefined;

  /** @param busyLimit how long to wait for another process's transaction, in milliseconds */
  constructor(file: string, busyLimit: number) {
    this.#file = file;
    this.#busyLimit = busyLimit;
  }

  handle(request: Request): readonly Outcome[] {
    switch (request.do) {
      case "write":
        return this.#write(request.units);
      case "begin":
        return [this.#attempt(() => this.#begin())];
      case "execute":
        return [this.#attempt(() => this.#run(request.statement))];
      case "commit":
        return [this.#attempt(() => this.#exec("commit"))];
      case "rollback":
        return [this.#attempt(() => this.#rollback())];
      case "close":
        return [this.#attempt(() => this.#close())];
    }
  }

  /**
   * Group commit: the units share one transaction and so one fsync, and a savepoint each, so that one's failure is not
   * another's. Their answers mean nothing before the commit.
   */
  #write(units: readonly (readonly Statement[])[]): readonly Outcome[] {
    try {
      this.#begin();
      const outcomes = units.map((unit) => this.#unit(unit));
      this.#exec("commit");
      return outcomes;
    } catch (error) {
      const failure = toFailure(error);
      const undone = this.#attempt(() => this.#rollback());
      const outcome = "failure" in undone ? undone : { failure };
      return units.map(() => outcome);
    }
  }

  #unit(statements: readonly Statement[]): Outcome {
    this.#exec("savepoint unit");
    try {
      const results = statements.map((statement) => this.#run(statement));
      this.#exec("release unit");
      return { results };
    } catch (error) {
      // A full disk, among others, makes SQLite roll back the whole transaction: then the units before are lost too.
      if (!this.#connection().database.isTransaction) throw error;
      this.#exec("rollback to unit");
      this.#exec("release unit");
      return { failure: toFailure(error) };
    }
  }

  #begin(): Result {
    return this.#patiently(() => this.#exec("begin immediate"));
  }

  #rollback(): void {
    // SQLite has already rolled back by itself after some failures.
    if (this.#open?.database.isTransaction === true) this.#exec("rollback");
  }

  #run(statement: Statement): Result {
    return this.#connection().statements.run(statement);
  }

  #exec(sql: string): Result {
    return this.#run({ sql, parameters: [] });
  }

  #attempt(work: () => Result | void): Outcome {
    try {
      const result = work();
      return { results: result === undefined ? [] : [result] };
    } catch (error) {
      return { failure: toFailure(error) };
    }
  }

  #connection(): { database: DatabaseSync; statements: Statements } {
    if (this.#open !== undefined) return this.#open;
    const url = pathToFileURL(this.#file);
    // Never `rwc`: a database that somebody moved away must not be replaced by an empty one.
    url.searchParams.set("mode", "rw");
    const database = new DatabaseSync(url, { enableForeignKeyConstraints: true, timeout: 0 });
    try {
      this.#patiently(() => database.exec("pragma journal_mode = wal"));
      // The one level at which every commit is fsynced in WAL mode; SQLite can be compiled with another default.
      database.exec("pragma synchronous = full");
    } catch (error) {
      database.close();
      throw error;
    }
    this.#open = { database, statements: new Statements(database) };
    return this.#open;
  }

  #close(): void {
    this.#open?.database.close();
    this.#open = undefined;
  }

  /**
   * Repeats what another process is in the way of. SQLite's own busy handler waits up to 100 ms between attempts; when
   * processes write back to back it misses nearly every gap between their transactions, and starves.
   */
  #patiently<T>(work: () => T): T {
    const deadline = performance.now() + this.#busyLimit;
    for (;;) {
      try {
        return work();
      } catch (error) {
        const failure: SqliteFailure = toFailure(error);
        if (!isBusy(failure) || performance.now() >= deadline) throw error;
        Atomics.wait(SLEEPER, 0, 0, 1);
      }
    }
  }
}

/** Never notified: waiting on it is a sleep. */
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));
