import type { Migration } from "./migrations.ts";

/** In the row that every batch reads anyway, so that asking costs nothing. */
export const suspects: Migration = {
  version: 2,
  name: "suspects",
  sqlite: [`alter table links add column suspected_at integer`],
};
