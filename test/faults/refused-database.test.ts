import assert from "node:assert/strict";
import { mkdir, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestContext } from "node:test";
import { listing } from "../support/listing.ts";
import { Server } from "../support/server.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { refusedStart } from "./support/refused-start.ts";
import { story } from "./support/story.ts";

/** A data folder that was in use, with the database in one file. */
async function usedData(t: TestContext): Promise<{ data: string; database: string }> {
  const server = await Server.start(t);
  await server.user().upload("team/app", Buffer.from("an object"));
  await server.user().lock("team/app", "a.bin");
  await server.stop();
  return { data: server.data, database: join(server.data, "holdall.db") };
}

interface Damage {
  readonly what: string;
  readonly done: (database: string) => Promise<void>;
  /** Names what is wrong and what to do. */
  readonly said: RegExp;
}

const DAMAGES: readonly Damage[] = [
  {
    what: "has a damaged beginning",
    done: async (database) => {
      const file = await open(database, "r+");
      await file.write(Buffer.from("Remember the milk."), 0, 18, 0);
      await file.close();
    },
    said: /holdall\.db.*damaged.*restore it from a backup/i,
  },
  {
    what: "was cut in half",
    done: async (database) => truncate(database, Math.floor((await readFile(database)).length / 2)),
    said: /holdall\.db.*damaged.*restore it from a backup/i,
  },
  {
    what: "is not an SQLite database",
    done: (database) => writeFile(database, "Remember the milk.\n".repeat(500)),
    said: /holdall\.db is not an SQLite database.*restore it from a backup/i,
  },
  {
    what: "is a folder",
    done: async (database) => {
      await rm(database);
      await mkdir(database);
    },
    said: /holdall\.db is a folder, where the database should be: move it away.*backup/i,
  },
  {
    what: "belongs to another program",
    done: async (database) => {
      await rm(database);
      using other = new DatabaseSync(database);
      other.exec("create table bookmarks (url text)");
    },
    said: /holdall\.db is an SQLite database, but not one of Holdall's.*name another/i,
  },
  {
    what: "was written by a later version",
    done: async (database) => {
      using later = new DatabaseSync(database);
      later.exec("insert into schema_migrations values (999, 'from the future', 0)");
    },
    said: /holdall\.db has schema 999.*start the later version, or restore a backup/i,
  },
];

for (const { what, done, said } of DAMAGES) {
  story(`a database that ${what} is refused at the start and left as it is`, async (t) => {
    const { data, database } = await usedData(t);
    await done(database);
    const before = await listing(data);
    for (const workers of ["1", "2"]) {
      assert.match(await refusedStart(["--data", data, "--listen", "127.0.0.1:0", "--workers", workers]), said);
    }
    const after = await listing(data);
    // What a look at a database in WAL mode leaves beside it; it says nothing.
    for (const name of ["holdall.db-shm", "holdall.db-wal"]) delete after[name];
    assert.deepEqual(after, before);
  });
}

/** A data folder that was in use, on a disk of its own; undefined, and the test skipped, where there can be none. */
async function usedDisk(t: TestContext): Promise<{ disk: SmallDisk; data: string; outside: string } | undefined> {
  const disk = await SmallDisk.mount(t, "16m");
  if (disk === undefined) return undefined;
  const data = join(disk.path, "data");
  const server = await Server.start(t, { under: disk.enter, data });
  await server.user().upload("team/app", Buffer.from("an object"));
  await server.stop();
  return { disk, data, outside: join(disk.outside, "data") };
}

story("a data folder on a read-only file system is refused at the start", async (t) => {
  const used = await usedDisk(t);
  if (used === undefined) return;
  const { disk, data, outside } = used;
  const before = await listing(outside);
  await disk.makeReadOnly();
  const line = await refusedStart(["--data", data, "--listen", "127.0.0.1:0"], { under: disk.enter });
  assert.match(line, /cannot write to the data folder .*data \(EROFS\).*mount it writable/);
  assert.deepEqual(await listing(outside), before);
});

story("a database file that alone is read-only is refused at the start", async (t) => {
  const used = await usedDisk(t);
  if (used === undefined) return;
  const { disk, data, outside } = used;
  const before = await listing(outside);
  await disk.makeFileReadOnly(join(data, "holdall.db"));
  const line = await refusedStart(["--data", data, "--listen", "127.0.0.1:0"], { under: disk.enter });
  assert.match(line, /holdall\.db cannot be written to/);
  assert.deepEqual(await listing(outside), before);
});
