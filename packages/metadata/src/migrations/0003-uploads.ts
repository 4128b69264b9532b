import type { Migration } from "./migrations.ts";

/** Uploads in parts that are under way. The parts themselves, and how many have come, is what the store knows. */
export const uploads: Migration = {
  version: 3,
  name: "uploads",
  sqlite: [
    `create table uploads (
      place text primary key,
      repository text not null,
      oid blob not null check (length(oid) = 32),
      size integer not null check (size >= 0),
      part_size integer not null check (part_size > 0),
      upload text not null,
      began_at integer not null,
      unique (repository, oid, size, part_size)
    ) strict`,
  ],
};
