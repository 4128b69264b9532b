import type { Migration } from "./migrations.ts";

export const foundation: Migration = {
  version: 1,
  name: "foundation",
  sqlite: [
    `create table schema_migrations (
      version integer primary key,
      name text not null,
      applied_at integer not null
    ) strict`,

    `create table repositories (
      id integer primary key,
      name text not null unique check (name <> ''),
      created_at integer not null
    ) strict`,

    `create table objects (
      oid blob primary key check (length(oid) = 32),
      size integer not null check (size >= 0)
    ) strict, without rowid`,

    `create table links (
      repository_id integer not null references repositories (id),
      oid blob not null references objects (oid),
      size integer not null,
      linked_at integer not null,
      primary key (repository_id, oid)
    ) strict, without rowid`,

    `create table locks (
      id integer primary key autoincrement,
      repository_id integer not null references repositories (id),
      path text not null,
      owner text not null,
      locked_at integer not null,
      unique (repository_id, path)
    ) strict`,
    `create index locks_newest on locks (repository_id, id)`,

    `create table users (
      id integer primary key autoincrement,
      name text not null unique check (name <> ''),
      password_hash text,
      admin integer not null check (admin in (0, 1)),
      created_at integer not null
    ) strict`,

    `create table tokens (
      sequence integer primary key autoincrement,
      id text not null unique check (id <> ''),
      hash blob not null unique check (length(hash) = 32),
      user_id integer not null references users (id) on delete cascade,
      "right" text not null check ("right" in ('read', 'write', 'admin')),
      repositories text not null check (json_array_length(repositories) > 0),
      note text,
      created_at integer not null,
      expires_at integer
    ) strict`,
    `create index tokens_of_user on tokens (user_id, sequence)`,
  ],
};
