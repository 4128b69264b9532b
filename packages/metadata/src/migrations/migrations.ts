import { MetadataError } from "../errors.ts";
import { foundation } from "./0001-foundation.ts";
import { suspects } from "./0002-suspects.ts";
import { uploads } from "./0003-uploads.ts";

/**
 * One step of the schema. A published step is never edited: what it got wrong, a later one mends. Each database has its
 * own statements, because types and table options differ; what they build is described once, in `schema.ts`.
 */
export interface Migration {
  /** 1, 2, 3 and so on, without gaps. */
  readonly version: number;
  readonly name: string;
  readonly sqlite: readonly string[];
}

export const migrations: readonly Migration[] = [foundation, suspects, uploads];

/**
 * The steps that a database of this version (0: empty) still needs, in order.
 * @param database names it in the error
 * @throws MetadataError `newer-schema` when the version is one that this program does not know
 */
export function migrationsAfter(version: number, database: string): readonly Migration[] {
  if (version > migrations.length) {
    throw new MetadataError(
      "newer-schema",
      `${database} has schema ${version}, written by a later version of Holdall; this one knows schemas up to ` +
        `${migrations.length}. Nothing was changed. Start the later version, or restore a backup from before the upgrade`,
    );
  }
  return migrations.slice(version);
}
