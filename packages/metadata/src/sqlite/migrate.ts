import { sql, type Kysely } from "kysely";
import { MetadataError } from "../errors.ts";
import { migrationsAfter } from "../migrations/migrations.ts";
import type { Schema } from "../schema.ts";

/**
 * The version of the schema in this file; 0 when it is empty.
 * @throws MetadataError `corrupt` when the file is another program's database
 */
export async function schemaVersion(db: Kysely<Schema>, file: string): Promise<number> {
  const tables = await db
    .withTables<{ sqlite_schema: { type: string; name: string } }>()
    .selectFrom("sqlite_schema")
    .select("name")
    .where("type", "=", "table")
    .execute();
  if (tables.length === 0) return 0;
  if (!tables.some(({ name }) => name === "schema_migrations")) {
    throw new MetadataError(
      "corrupt",
      `${file} is an SQLite database, but not one of Holdall's; nothing was changed. Name another file`,
    );
  }
  const latest = await db
    .selectFrom("schema_migrations")
    .select(({ fn }) => fn.max("version").as("version"))
    .executeTakeFirstOrThrow();
  return latest.version ?? 0;
}

/**
 * Brings the schema up to date, all or nothing. Of several processes at once the first does it, the others find it done.
 * @throws MetadataError `newer-schema`
 */
export async function migrate(db: Kysely<Schema>, file: string): Promise<void> {
  // A write transaction of SQLite has no other beside it, so the version cannot change after it is read.
  await db.transaction().execute(async (transaction) => {
    const version = await schemaVersion(transaction, file);
    for (const migration of migrationsAfter(version, file)) {
      for (const statement of migration.sqlite) await sql.raw(statement).execute(transaction);
      await transaction
        .insertInto("schema_migrations")
        .values({ version: migration.version, name: migration.name, applied_at: Date.now() })
        .execute();
    }
  });
}
