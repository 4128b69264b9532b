import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { MetadataError } from "../errors.ts";
import { isBusy, sqliteError, toFailure } from "./errors.ts";
import type { Result, Statement } from "./messages.ts";
import { Statements } from "./statements.ts";

/**
 * 64 MiB, taken only as it fills. It holds the index of a million links; with SQLite's default of 2 MiB, looking up 100
 * of them costs half as much again.
 */
const CACHE_KIBIBYTES = 65_536;

/**
 * The connection that reads, on the calling thread: a small query takes less time than handing it to another thread. In
 * WAL mode a reader waits for nobody, except for moments when another process recovers or removes the log.
 */
export class Reader {
  readonly #file: string;
  readonly #busyLimit: number;
  readonly #database: DatabaseSync;
  #statements: Statements | undefined;

  /**
   * Opens the file, read-only.
   * @param busyLimit how long to wait while another process recovers or removes the log, in milliseconds
   * @throws MetadataError
   */
  static open(file: string, busyLimit: number): Reader {
    try {
      return new Reader(file, busyLimit, new DatabaseSync(file, { readOnly: true, timeout: 0 }));
    } catch (error) {
      throw sqliteError(file, toFailure(error));
    }
  }

  private constructor(file: string, busyLimit: number, database: DatabaseSync) {
    this.#file = file;
    this.#busyLimit = busyLimit;
    this.#database = database;
  }

  async read(statement: Statement): Promise<Result> {
    const deadline = performance.now() + this.#busyLimit;
    for (;;) {
      if (!this.#database.isOpen) throw new MetadataError("unavailable", `${this.#file} is closed; open it again`);
      try {
        this.#statements ??= this.#prepare();
        return this.#statements.run(statement);
      } catch (error) {
        const failure = toFailure(error);
        if (!isBusy(failure) || performance.now() >= deadline) throw sqliteError(this.#file, failure);
      }
      await sleep(5);
    }
  }

  close(): void {
    this.#database.close();
  }

  /** With the first query, because this is the first to look into the file. */
  #prepare(): Statements {
    this.#database.exec(`pragma cache_size = -${CACHE_KIBIBYTES}`);
    return new Statements(this.#database);
  }
}
