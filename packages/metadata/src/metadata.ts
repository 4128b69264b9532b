import type { Database } from "./database.ts";
import { SqlLocks } from "./locks.ts";
import { SqlObjects } from "./objects.ts";
import type { Metadata } from "./port.ts";
import { SqlRepositories } from "./repositories.ts";
import { SqlTokens } from "./tokens.ts";
import { SqlUploads } from "./uploads.ts";
import { SqlUsers } from "./users.ts";

/** The port over any SQL database. */
export class SqlMetadata implements Metadata {
  readonly repositories: SqlRepositories;
  readonly objects: SqlObjects;
  readonly uploads: SqlUploads;
  readonly locks: SqlLocks;
  readonly users: SqlUsers;
  readonly tokens: SqlTokens;
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    this.repositories = new SqlRepositories(database.db);
    this.objects = new SqlObjects(database);
    this.uploads = new SqlUploads(database.db);
    this.locks = new SqlLocks(database.db);
    this.users = new SqlUsers(database.db);
    this.tokens = new SqlTokens(database);
  }

  ping(): Promise<void> {
    return this.#database.ping();
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
